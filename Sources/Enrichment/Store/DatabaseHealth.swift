import Postgres
import Synchronization

/// Turns the changes of many connections into one `db.lost` and one `db.restored` an outage.
///
/// An outage begins with the first role that is not served and ends when all are. Connections that nobody uses may have
/// broken unnoticed, so before the end is told they are looked at, or each would make an outage of its own later.
package final class DatabaseHealth: Sendable {
    private struct State {
        /// Roles without a connection.
        var disconnected: Set<String> = []
        /// Roles that have one, over which the server refuses what they do. Only a statement that succeeds ends this.
        var refused: Set<String> = []
        var isLost = false
        var isChecking = false
        var isListenLost = false
        var lastRestored: ContinuousClock.Instant?
        var check: @Sendable () async -> Void = {}

        var isQuiet: Bool { disconnected.isEmpty && refused.isEmpty }
    }

    /// One event ends many connections, though not at the same instant.
    private static let settlingTime: Duration = .milliseconds(250)

    private let state = Mutex(State())
    private let log: Log

    init(log: Log) { self.log = log }

    /// Sets what looks at all connections before an outage is called over.
    func onQuiet(_ check: @escaping @Sendable () async -> Void) { state.withLock { $0.check = check } }

    package var isLost: Bool { state.withLock(\.isLost) }
    package var isListenLost: Bool { state.withLock(\.isListenLost) }

    /// How long ago an outage ended; nil when there was none.
    package var sinceRestored: Duration? {
        state.withLock { state in state.lastRestored.map { .now - $0 } }
    }

    static let listenRole = "listen"

    func note(_ event: Session.Event, role: String) {
        switch event {
        case .lost(let error):
            if role == Self.listenRole { return listenLost(error) }
            begin(error, role) { $0.disconnected.insert(role) }
        // The listener is back when it listens, not when it is connected: it says so itself.
        case .restored: if role != Self.listenRole { end { $0.disconnected.remove(role) } }
        }
    }

    /// The server refuses what `role` does. A broken connection needs no word here: its session says so.
    func lost(_ error: PostgresError, role: String) {
        if error.isConnectionLoss && !error.isConfiguration { return }
        begin(error, role) { $0.refused.insert(role) }
    }

    /// The server did what `role` asked, or refused it for its content alone.
    func restored(role: String) {
        if role == Self.listenRole { return listenRestored() }
        end {
            $0.disconnected.remove(role)
            $0.refused.remove(role)
        }
    }

    // MARK: -

    private func begin(_ error: PostgresError, _ role: String, _ change: (inout State) -> Void) {
        let isNew = state.withLock { state in
            change(&state)
            defer { state.isLost = true }
            return !state.isLost
        }
        guard isNew else { return }
        var fields = error.fields
        fields.fill(from: [.role: .string(role), .cause: .string(error.outage), .hint: LogValue(error.outageHint)])
        log(.warning, .dbLost, "the database does not serve: jobs wait, uncharged", fields)
    }

    private func end(_ change: (inout State) -> Void) {
        let check: (@Sendable () async -> Void)? = state.withLock { state in
            change(&state)
            guard state.isLost, state.isQuiet, !state.isChecking else { return nil }
            state.isChecking = true
            return state.check
        }
        guard let check else { return }
        Task {
            try? await Task.sleep(for: Self.settlingTime)
            await check()
            let isOver = state.withLock { state in
                state.isChecking = false
                guard state.isQuiet else { return false }
                state.isLost = false
                state.lastRestored = .now
                return true
            }
            if isOver { log(.notice, .dbRestored, "the database serves again") }
        }
    }

    private func listenLost(_ error: PostgresError) {
        let isNew = state.withLock { state in
            defer { state.isListenLost = true }
            return !state.isListenLost
        }
        if isNew { log(.warning, .listenLost, "the bell is lost: polling until it is back", error.fields) }
    }

    private func listenRestored() {
        let wasLost = state.withLock { state in
            defer { state.isListenLost = false }
            return state.isListenLost
        }
        if wasLost { log(.notice, .listenRestored, "the bell is back") }
    }
}
