import Postgres

/// Listens for inserts and rings the bell. After every connect LISTEN comes first and the look at the queue second, so
/// nothing falls between.
struct Doorbell: Sendable {
    let session: Session
    let channel: String
    let bell: Bell

    func run() async {
        while !Task.isCancelled {
            do throws(PostgresError) {
                let connection = try await session.current()
                do throws(PostgresError) {
                    try await listen(connection)
                } catch {
                    await session.drop(connection, error)
                }
            } catch {
                // Refused for good, or closed: the poll does the work.
                try? await Task.sleep(for: .seconds(1))
            }
        }
    }

    private func listen(_ connection: Connection) async throws(PostgresError) {
        try await connection.listen(channel: channel)
        bell.ring()
        var notifications = connection.notifications().makeAsyncIterator()
        while try await notifications.next() != nil { bell.ring() }
    }
}
