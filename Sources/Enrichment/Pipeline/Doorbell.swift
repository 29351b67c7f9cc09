import Postgres

/// Listens for inserts and rings the bell. After every connect LISTEN comes first and the look at the queue second, so
/// nothing falls between.
struct Doorbell: Sendable {
    let session: Session
    let health: DatabaseHealth
    let channel: String
    let bell: Bell

    func run() async {
        while !Task.isCancelled {
            let start = ContinuousClock.now
            do throws(PostgresError) {
                let connection = try await session.current()
                do throws(PostgresError) {
                    try await listen(connection)
                } catch {
                    await session.drop(connection, error)
                }
            } catch {
                // Refused for good, or closed: the poll does the work.
            }
            // A server that takes the connection and refuses to listen, as a standby does, is not asked without end.
            if ContinuousClock.now - start < .seconds(1) { try? await Task.sleep(for: .milliseconds(500)) }
        }
    }

    private func listen(_ connection: Connection) async throws(PostgresError) {
        try await connection.listen(channel: channel)
        health.restored(role: DatabaseHealth.listenRole)
        bell.ring()
        var notifications = connection.notifications().makeAsyncIterator()
        while try await notifications.next() != nil { bell.ring() }
    }
}
