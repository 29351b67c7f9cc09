import Postgres

/// Listens for inserts and rings the bell. After every connect LISTEN comes first and the look at the queue second, so
/// nothing falls between.
///
/// Before that a notification of our own has to come back: behind a transaction pooler LISTEN succeeds and nothing is heard.
struct Doorbell: Sendable {
    /// How long after a notification that did not come back it is tried again.
    private static let patience: Duration = .seconds(60)
    /// Anybody may ring: what comes within this after a bell is read together.
    private static let pause: Duration = .milliseconds(50)

    let database: Database
    let channel: String
    let bell: Bell

    func run() async {
        while !Task.isCancelled {
            guard database.canListen else { return database.health.pollsBehindPooler() }
            let start = ContinuousClock.now
            do throws(PostgresError) {
                let connection = try await database.listen.current()
                do throws(PostgresError) {
                    try await listen(connection)
                } catch {
                    await database.listen.drop(connection, error)
                }
            } catch {
                // Refused for good, or closed: the poll does the work.
                if case .cancelled = error { return }
                database.health.lost(error, role: DatabaseHealth.listenRole)
            }
            // A server that takes the connection and refuses to listen, as a standby does, is not asked without end.
            if ContinuousClock.now - start < .seconds(1) { try? await Task.sleep(for: .milliseconds(500)) }
        }
    }

    private func listen(_ connection: Connection) async throws(PostgresError) {
        guard try await hears(connection) else {
            database.health.pollsBehindPooler()
            try? await Task.sleep(for: Self.patience)
            return
        }
        try await connection.listen(channel: channel)
        database.health.restored(role: DatabaseHealth.listenRole)
        bell.ring()
        var notifications = connection.notifications().makeAsyncIterator()
        while try await notifications.next() != nil {
            bell.ring()
            try? await Task.sleep(for: Self.pause)
        }
    }

    private func hears(_ connection: Connection) async throws(PostgresError) -> Bool {
        let (keep, channel) = (database.keep, database.trialChannel)
        return try await connection.hears(channel: channel) { () throws(PostgresError) in
            _ = try await keep.query(Notifications.notify, [.text(channel)])
        }
    }
}
