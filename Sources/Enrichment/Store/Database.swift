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
            let isListener = role == DatabaseHealth.listenRole
            var connection = ConnectionConfiguration(
                conninfo: isListener ? listenConninfo ?? conninfo : conninfo,
                applicationName: "engagement-worker \(role)",
                schema: schema
            )
            connection.sharedLock = sharedLock
            // Whether this one is direct shows only when it listens.
            connection.isPooled = isListener && listenConninfo != nil
            connection.statementTimeout = statementTimeout
            connection.synchronousCommit = role != "claim"
            // A command that only reads may look at a standby; a worker there could only wait, and its listener would never hear a thing.
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
    private let configuration: Configuration
    /// A channel that nobody else uses, for finding out whether notifications come back.
    let trialChannel: String

    /// - Parameter bootID: every connection holds the shared advisory lock of it, by which others see that we live.
    package init(_ configuration: Configuration, bootID: Int64, log: Log) {
        let health = DatabaseHealth(log: log)
        self.health = health
        self.configuration = configuration
        trialChannel = "engagement_worker_trial_" + String(UInt64(bitPattern: bootID), radix: 16)
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

    /// Finds out, once, whether a transaction pooler stands before the database, and waits for the database if need be.
    /// Call it before anything else: what a session keeps would stay with the pooler.
    package func findPooler() async throws(PostgresError) {
        guard !health.knowsPooler else { return }
        var bare = configuration.connection(role: "start")
        bare.isPooled = true
        let (listener, notifier) = (startSession(bare), startSession(bare))
        let isDirect: Bool
        do throws(PostgresError) {
            isDirect = try await hears(on: listener, from: notifier)
        } catch {
            await listener.close()
            await notifier.close()
            throw error
        }
        await listener.close()
        await notifier.close()
        health.note(isPooled: !isDirect)
        guard !isDirect else { return }
        for session in writers + [claim, keep, scopes, listen] { await session.becomePooled() }
    }

    /// False when everything goes through a transaction pooler.
    var canListen: Bool { !health.isPooled || configuration.listenConninfo != nil }

    /// Whether the connection that is to hear the bell does.
    package func listenerHears() async throws(PostgresError) -> Bool { try await hears(on: listen, from: keep) }

    private func startSession(_ configuration: ConnectionConfiguration) -> Session {
        Session(configuration) { [health] in health.note($0, role: "keep") }
    }

    private func hears(on listener: Session, from notifier: Session) async throws(PostgresError) -> Bool {
        while true {
            let connection = try await listener.current()
            do throws(PostgresError) {
                return try await connection.hears(channel: trialChannel) { [trialChannel] () throws(PostgresError) in
                    _ = try await notifier.query(Notifications.notify, [.text(trialChannel)])
                }
            } catch {
                // There are poolers that refuse to listen.
                if case .server = error, !error.isOutage { return false }
                guard error.isConnectionLoss else { throw error }
                await listener.drop(connection, error)
            }
            do { try await Task.sleep(for: .milliseconds(500)) } catch { throw .cancelled }
        }
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
    package var isOutage: Bool {
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
        case _ where isForeignSession: "pooler"
        case .undefinedTable?, .undefinedFunction?: "schema"
        default: "connection"
        }
    }

    var outageHint: String? {
        switch outage {
        case "read_only": "the server takes no writes: make it writable or point DATABASE_URL at the primary"
        case "privilege": "grant the role its rights: engagement-worker doctor names each that is missing"
        case "disk_full": "make room on the database server"
        case "connection": "see that the server runs, and DATABASE_URL"
        case "too_many_connections": "raise max_connections or run fewer workers"
        case "locked": "end whatever locks our tables: pg_locks shows its pid"
        case "pooler": "start the worker anew, or point DATABASE_URL past the pooler"
        case "schema": "run engagement-worker migrate"
        default: nil
        }
    }
}
