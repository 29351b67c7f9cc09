package import Postgres
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
        /// What the outage is, and what to do.
        var trouble: String?
        var isChecking = false
        /// Nil before the first time that it listens.
        var listen: Heartbeat.ListenState?
        /// Nil before it is known.
        var isPooled: Bool?
        var lastRestored: ContinuousClock.Instant?
        var check: @Sendable () async -> Void = {}
        /// What the server said beside its answers, each kind once.
        var notices: Set<NoticeKind> = []

        var isQuiet: Bool { disconnected.isEmpty && refused.isEmpty }
    }

    private struct NoticeKind: Hashable {
        var severity: Notice.Severity
        var sqlState: SQLState
    }

    /// Kinds of notices that are told; somebody's trigger may make up codes as it likes.
    private static let mostNotices = 32
    /// One event ends many connections, though not at the same instant.
    private static let settlingTime: Duration = .milliseconds(250)

    private let state = Mutex(State())
    private let log: Log

    package init(log: Log) { self.log = log }

    /// Sets what looks at all connections before an outage is called over.
    func onQuiet(_ check: @escaping @Sendable () async -> Void) { state.withLock { $0.check = check } }

    package var isLost: Bool { state.withLock(\.isLost) }
    /// No connection is broken, whatever the server refuses to do over them.
    var isConnected: Bool { state.withLock(\.disconnected.isEmpty) }
    /// Why it does not serve, with what to do; nil while it does.
    var trouble: String? { state.withLock { $0.isLost ? $0.trouble : nil } }
    /// Before it listens for the first time it polls.
    package var listen: Heartbeat.ListenState { state.withLock(\.listen) ?? .polling }
    /// The connections go through a transaction pooler.
    package var isPooled: Bool { state.withLock(\.isPooled) ?? false }
    var knowsPooler: Bool { state.withLock(\.isPooled) != nil }

    /// How long ago an outage ended; nil when there was none.
    package var sinceRestored: Duration? {
        state.withLock { state in state.lastRestored.map { .now - $0 } }
    }

    static let listenRole = "listen"

    package func note(_ event: Session.Event, role: String) {
        switch event {
        case .lost(let error):
            if role == Self.listenRole { return listenLost(error) }
            begin(error, role) { $0.disconnected.insert(role) }
        // The listener is back when it listens, not when it is connected: it says so itself.
        case .restored: if role != Self.listenRole { end { $0.disconnected.remove(role) } }
        case .pooled: note(isPooled: true)
        case .noted(let notice): note(notice, role)
        }
    }

    /// The server refuses what `role` does. A broken connection needs no word here: its session says so.
    package func lost(_ error: PostgresError, role: String) {
        if role == Self.listenRole { return listenLost(error) }
        if error.isConnectionLoss && !error.isConfiguration { return }
        begin(error, role) { $0.refused.insert(role) }
    }

    /// The server did what `role` asked, or refused it for its content alone.
    package func restored(role: String) {
        if role == Self.listenRole { return listenRestored() }
        end {
            $0.disconnected.remove(role)
            $0.refused.remove(role)
        }
    }

    func note(isPooled: Bool) { state.withLock { $0.isPooled = isPooled } }

    /// Told once for each kind, whichever connection hears it: a trigger may say it for each row.
    private func note(_ notice: Notice, _ role: String) {
        let isNew = state.withLock { state in
            state.notices.count < Self.mostNotices
                && state.notices.insert(NoticeKind(severity: notice.severity, sqlState: notice.sqlState)).inserted
        }
        guard isNew else { return }
        log(
            notice.severity == .warning ? .warning : .debug, .dbNotice, "Postgres says something beside its answer",
            [
                .severity: .string(notice.severity.rawValue), .sqlstate: .string(notice.sqlState.code),
                .statement: LogValue(notice.statement), .role: .string(role),
                .hint: "its text, which may quote values, is in the server's log",
            ])
    }

    /// No bell is heard, since what listens goes through a transaction pooler.
    func pollsBehindPooler() {
        let isNew = state.withLock { state in
            defer { state.listen = .polling }
            return state.listen != .polling
        }
        guard isNew else { return }
        log(
            .warning, .listenLost, "a transaction pooler keeps the bell from us: polling",
            [
                .cause: "pooler",
                .hint: "set ENGAGEMENT_WORKER_LISTEN_DATABASE_URL to a connection that goes past the pooler",
            ])
    }

    // MARK: -

    private func begin(_ error: PostgresError, _ role: String, _ change: (inout State) -> Void) {
        let isNew = state.withLock { state in
            change(&state)
            defer { state.isLost = true }
            if !state.isLost { state.trouble = error.outage + (error.outageHint.map { "; \($0)" } ?? "") }
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
            // Whom a pooler keeps from hearing the bell has told so.
            guard state.listen == nil || state.listen == .ok else { return false }
            state.listen = .lost
            return true
        }
        guard isNew else { return }
        var fields = error.fields
        fields.fill(from: [.cause: .string(error.outage), .hint: LogValue(error.outageHint)])
        log(.warning, .listenLost, "the bell is lost: polling until it is back", fields)
    }

    private func listenRestored() {
        let before = state.withLock { state in
            defer { state.listen = .ok }
            return state.listen
        }
        if before == .lost || before == .polling { log(.notice, .listenRestored, "the bell is back") }
    }
}
