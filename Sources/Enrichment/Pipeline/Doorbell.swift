import Postgres
import Synchronization

/// Who is rung on which channel.
package final class Rings: Sendable {
    /// One worker: its schema's channel, what wakes it, and to whom is said whether the bell can be heard.
    struct Ring: Sendable {
        let channel: String
        let bell: Bell
        let health: DatabaseHealth
    }

    private let rings = Mutex<[Ring]>([])
    private let listener = Mutex<Connection?>(nil)

    package init() {}

    /// Whoever listens already hears of it at once.
    func add(_ ring: Ring) {
        rings.withLock { $0.append(ring) }
        listener.withLock(\.self)?.interrupt()
    }

    var all: [Ring] { rings.withLock(\.self) }

    fileprivate func areHeard(on connection: Connection?) { listener.withLock { $0 = connection } }
}

/// Listens for inserts and rings the bells, of one worker or of all in the process over one connection. After every connect LISTEN
/// comes first and the look at the queue second, so nothing falls between.
///
/// Before that a notification of our own has to come back: behind a transaction pooler LISTEN succeeds and nothing is heard.
struct Doorbell: Sendable {
    /// How long after a notification that did not come back it is tried again.
    private static let patience: Duration = .seconds(60)
    /// Anybody may ring: what comes within this after a bell is read together.
    private static let pause: Duration = .milliseconds(50)

    let database: Database
    let rings: Rings

    func run() async {
        while !Task.isCancelled {
            guard database.canListen else { return tell { $0.pollsBehindPooler() } }
            let start = ContinuousClock.now
            do throws(PostgresError) {
                let connection = try await database.listen.current()
                do throws(PostgresError) {
                    try await listen(connection)
                } catch {
                    await database.listen.drop(connection, error)
                    throw error
                }
            } catch {
                // Refused for good, or closed: the poll does the work.
                if case .cancelled = error { return }
                tell { $0.lost(error, role: DatabaseHealth.listenRole) }
            }
            // A server that takes the connection and refuses to listen, as a standby does, is not asked without end.
            if ContinuousClock.now - start < .seconds(1) { try? await Task.sleep(for: .milliseconds(500)) }
        }
    }

    private func listen(_ connection: Connection) async throws(PostgresError) {
        guard try await hears(connection) else {
            tell { $0.pollsBehindPooler() }
            try? await Task.sleep(for: Self.patience)
            return
        }
        var notifications = connection.notifications().makeAsyncIterator()
        var heard: Set<String> = []
        rings.areHeard(on: connection)
        defer { rings.areHeard(on: nil) }
        repeat {
            for ring in rings.all where heard.insert(ring.channel).inserted {
                try await connection.listen(channel: ring.channel)
                ring.health.restored(role: DatabaseHealth.listenRole)
                ring.bell.ring()
            }
            guard let channels = try await notifications.next() else { return }
            if channels.isEmpty { continue }
            for ring in rings.all where channels.contains(ring.channel) { ring.bell.ring() }
            try? await Task.sleep(for: Self.pause)
        } while !Task.isCancelled
    }

    private func tell(_ what: (DatabaseHealth) -> Void) {
        for ring in rings.all { what(ring.health) }
    }

    private func hears(_ connection: Connection) async throws(PostgresError) -> Bool {
        let (keep, channel) = (database.keep, database.trialChannel)
        return try await connection.hears(channel: channel) { () throws(PostgresError) in
            _ = try await keep.query(Notifications.notify, [.text(channel)])
        }
    }
}
