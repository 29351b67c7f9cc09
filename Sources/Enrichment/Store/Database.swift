package import Postgres
import Synchronization

/// The worker's connections, one a role, and what the log is told about them.
///
/// A fixed, small number: listen, claim, keep (leases, clock, heartbeat), scopes, and one a writer.
package final class Database: Sendable {
    package struct Configuration: Sendable {
        package var conninfo: String
        /// A direct connection for LISTEN, when the other one goes through a pooler.
        package var listenConninfo: String?
        package var schema: String
        package var statementTimeout: Duration = .seconds(30)
        package var writers = 2

        package init(conninfo: String, schema: String) {
            self.conninfo = conninfo
            self.schema = schema
        }

        /// The settings of one role's connection.
        package func connection(role: String, sharedLock: Int64? = nil) -> ConnectionConfiguration {
            var connection = ConnectionConfiguration(
                conninfo: role == "listen" ? listenConninfo ?? conninfo : conninfo,
                applicationName: "engagement-worker \(role)",
                schema: schema
            )
            connection.sharedLock = sharedLock
            connection.statementTimeout = statementTimeout
            connection.synchronousCommit = role != "claim"
            return connection
        }
    }

    package let claim: Session
    package let keep: Session
    /// For what people may have locked: neither the clock nor a lease waits behind it.
    package let scopes: Session
    package let listen: Session
    package let writers: [Session]
    package let health: DatabaseHealth

    /// - Parameter bootID: every connection holds the shared advisory lock of it, by which others see that we live.
    package init(_ configuration: Configuration, bootID: Int64, log: Log) {
        let health = DatabaseHealth(log: log)
        self.health = health
        func session(_ role: String) -> Session {
            Session(configuration.connection(role: role, sharedLock: bootID)) { health.note($0, role: role) }
        }
        claim = session("claim")
        keep = session("keep")
        scopes = session("scopes")
        listen = session("listen")
        writers = (1...configuration.writers).map { session("write-\($0)") }
    }

    package func close() async {
        for session in writers + [claim, keep, scopes, listen] { await session.close() }
    }
}

/// Turns the changes of many connections into one `db.lost` and one `db.restored` an event.
package final class DatabaseHealth: Sendable {
    private struct State {
        var lostRoles: Set<String> = []
        var isListenLost = false
        var lastRestored: ContinuousClock.Instant?
    }

    private let state = Mutex(State())
    private let log: Log

    init(log: Log) { self.log = log }

    package var isLost: Bool { state.withLock { !$0.lostRoles.isEmpty } }
    package var isListenLost: Bool { state.withLock(\.isListenLost) }

    /// How long ago an outage ended; nil when there was none.
    package var sinceRestored: Duration? {
        state.withLock { state in state.lastRestored.map { .now - $0 } }
    }

    static let listenRole = "listen"

    func note(_ event: Session.Event, role: String) {
        switch event {
        case .lost(let error): lost(error, role: role)
        // The listener is back when it listens, not when it is connected: it says so itself.
        case .restored: if role != Self.listenRole { restored(role: role) }
        }
    }

    /// A connection broke, or the server as a whole refuses what `role` does. Only the first one of an event is logged.
    func lost(_ error: PostgresError, role: String) {
        if role == Self.listenRole {
            let isNew = state.withLock { state in
                defer { state.isListenLost = true }
                return !state.isListenLost
            }
            if isNew { log(.warning, .listenLost, "the bell is lost: polling until it is back", error.fields) }
            return
        }
        let isNew = state.withLock { state in
            defer { state.lostRoles.insert(role) }
            return state.lostRoles.isEmpty
        }
        guard isNew else { return }
        var fields = error.fields
        fields.fill(from: [.role: .string(role), .cause: .string(error.outage), .hint: LogValue(error.hint)])
        log(.warning, .dbLost, "the database does not serve: jobs wait, uncharged", fields)
    }

    func restored(role: String) {
        if role == Self.listenRole {
            let wasLost = state.withLock { state in
                defer { state.isListenLost = false }
                return state.isListenLost
            }
            if wasLost { log(.notice, .listenRestored, "the bell is back") }
            return
        }
        let isLast = state.withLock { state in
            guard state.lostRoles.remove(role) != nil, state.lostRoles.isEmpty else { return false }
            state.lastRestored = .now
            return true
        }
        if isLast { log(.notice, .dbRestored, "the database serves again") }
    }
}

extension PostgresError {
    /// What may be logged of an error: never the server's message, which quotes values.
    package var fields: LogFields {
        var fields: LogFields = [.error: .string(description), .sqlstate: LogValue(sqlState?.code)]
        if case .server(let error) = self {
            fields.fill(from: [
                .statement: LogValue(error.statement), .table: LogValue(error.table),
                .constraint: LogValue(error.constraint),
            ])
        }
        return fields
    }

    /// The connection or the server as a whole: waiting may cure it. Not what a migration has to cure.
    var isOutage: Bool {
        if isConfiguration || sqlState == .undefinedTable || sqlState == .undefinedFunction { return false }
        return isConnectionLoss || sqlState?.isServerTrouble == true
    }

    /// What kind of outage it is, in an operator's words.
    var outage: String {
        switch sqlState {
        case .readOnlyTransaction?: "read_only"
        case .insufficientPrivilege?: "privilege"
        case let state? where state.code == "53100": "disk_full"
        case let state? where state.code == "53300": "too_many_connections"
        case let state? where state.isClass("57P"): "restarting"
        case .undefinedTable?, .undefinedFunction?: "schema"
        default: "connection"
        }
    }

    fileprivate var hint: String? {
        switch outage {
        case "read_only": "the server takes no writes: make it writable or point DATABASE_URL at the primary"
        case "privilege": "grant the worker's role its rights on the schema"
        case "disk_full": "make room on the database server"
        case "too_many_connections": "raise max_connections or run fewer workers"
        case "schema": "run engagement-worker migrate"
        default: nil
        }
    }
}
