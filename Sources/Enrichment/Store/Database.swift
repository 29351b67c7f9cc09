package import Postgres

/// The worker's connections, one a role, and what the log is told about them.
///
/// A fixed, small number: listen, claim, keep (leases, clock, heartbeat), scopes, and one a writer.
package final class Database: Sendable {
    package struct Configuration: Sendable {
        package var conninfo: String
        /// A direct connection for LISTEN, when the other one goes through a pooler.
        package var listenConninfo: String?
        package var schema: String
        package var statementTimeout: Duration = .seconds(10)
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
            // Commands may look at a standby; a worker there could only wait, and its listener would never hear a thing.
            connection.needsPrimary = role != "command"
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
        let sessions = [claim, keep, scopes] + writers
        health.onQuiet {
            for session in sessions { await session.check() }
        }
    }

    /// Opens what is open only on first use otherwise: a worker that takes descriptors for requests first may find none
    /// left to write with.
    func open() async {
        for session in writers + [claim, scopes] { _ = try? await session.current() }
    }

    package func close() async {
        for session in writers + [claim, keep, scopes, listen] { await session.close() }
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
        case .lockNotAvailable?: "locked"
        case .queryCancelled?: "timeout"
        case .undefinedTable?, .undefinedFunction?: "schema"
        default: "connection"
        }
    }

    var outageHint: String? {
        switch outage {
        case "read_only": "the server takes no writes: make it writable or point DATABASE_URL at the primary"
        case "privilege": "grant the worker's role its rights on the schema"
        case "disk_full": "make room on the database server"
        case "too_many_connections": "raise max_connections or run fewer workers"
        case "locked": "end whatever locks our tables: pg_locks shows its pid"
        case "schema": "run engagement-worker migrate"
        default: nil
        }
    }
}
