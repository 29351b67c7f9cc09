/// A connection that comes back: opened when first needed, thrown away when it breaks, opened anew with jittered
/// back-off.
///
/// A statement is never repeated here, since whether it took effect before the connection broke is not ours to guess:
/// the caller gets the error and decides.
package actor Session {
    /// What a session tells about its connection: each change once, and what the server says beside its answers.
    package enum Event: Sendable {
        case lost(PostgresError)
        case restored
        /// A pooler turned out to stand between us and the server.
        case pooled
        case noted(Notice)
    }

    private var configuration: ConnectionConfiguration
    private let report: @Sendable (Event) -> Void
    private var connection: Connection?
    private var openedAt = ContinuousClock.now
    private var statements = 0
    private var opening: Task<Connection, any Error>?
    private var isLost = false
    private var isClosed = false

    package init(_ configuration: ConnectionConfiguration, report: @escaping @Sendable (Event) -> Void = { _ in }) {
        self.configuration = configuration
        self.report = report
    }

    /// Runs a statement on the connection, waiting for one if need be.
    ///
    /// Throws `.cancelled` when the session is closed, and errors that no waiting cures (``PostgresError/isConfiguration``).
    package func query(
        _ statement: Statement,
        _ parameters: [Parameter] = [],
        timeout: Duration? = nil
    ) async throws(PostgresError) -> [Row] {
        let connection = try await current()
        statements += 1
        defer { statements -= 1 }
        do {
            return try await connection.query(statement, parameters, timeout: timeout)
        } catch {
            guard !error.isForeignSession else {
                becomePooled()
                report(.pooled)
                let loss = PostgresError.lost(statement: statement.name, sqlState: error.sqlState)
                drop(connection, loss)
                throw loss
            }
            if error.isConnectionLoss || isOfOldPrimary(error) { drop(connection, error) }
            throw error
        }
    }

    /// Finds out whether the connection broke while nobody used it, and opens another if so.
    package func check() async {
        if statements == 0, let connection, await !connection.isAlive {
            drop(connection, .lost(statement: nil, sqlState: nil))
        }
        if isLost { _ = try? await current() }
    }

    /// A server that takes no writes may not be the primary any more: the name may lead to another one by now. Nor need it,
    /// so that is tried now and then only.
    private func isOfOldPrimary(_ error: PostgresError) -> Bool {
        error.sqlState == .readOnlyTransaction && .now - openedAt > .seconds(2)
    }

    /// From the next connection on nothing is kept on the server's session (``ConnectionConfiguration/isPooled``).
    package func becomePooled() {
        configuration.isPooled = true
    }

    /// The open connection, for what a single statement cannot do.
    package func current() async throws(PostgresError) -> Connection {
        if isClosed { throw .cancelled }
        if let connection { return connection }
        let task = opening ?? Task { try await self.openWithBackoff() }
        opening = task
        do {
            return try await task.value
        } catch let error as PostgresError {
            throw error
        } catch {
            throw .cancelled
        }
    }

    /// Tells that the connection no longer serves; the next call opens another.
    package func drop(_ broken: Connection, _ error: PostgresError) {
        guard connection === broken else { return }
        connection = nil
        announceLoss(error)
    }

    package func close() async {
        isClosed = true
        opening?.cancel()
        await connection?.close()
        connection = nil
    }

    private func openWithBackoff() async throws -> Connection {
        defer { opening = nil }
        var failures = 0
        while true {
            do throws(PostgresError) {
                let opened = try await Connection.open(configuration) { [report] in report(.noted($0)) }
                try adopt(opened)
                return opened
            } catch {
                guard error.isConnectionLoss, !error.isConfiguration else { throw error }
                announceLoss(error)
            }
            failures += 1
            try await Task.sleep(for: Self.delay(afterFailures: failures))
        }
    }

    private func adopt(_ opened: Connection) throws(PostgresError) {
        if isClosed { throw .cancelled }
        connection = opened
        openedAt = .now
        if isLost { report(.restored) }
        isLost = false
    }

    private func announceLoss(_ error: PostgresError) {
        if !isLost && !isClosed { report(.lost(error)) }
        isLost = true
    }

    /// A second and a jitter of up to 0.25, 0.5, 1, 2, then 4 s: nobody asks more than once a second, many workers do not
    /// come back in step, and none waits long for a server that is back.
    static func delay(afterFailures failures: Int) -> Duration {
        let ceiling = 0.25 * Double(1 << min(failures - 1, 4))
        return .milliseconds(1_000 + Int(Double.random(in: 0...ceiling) * 1_000))
    }
}
