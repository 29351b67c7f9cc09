import CLibPQ
import Glibc

/// One libpq connection and the thread that owns it.
///
/// Every call has a deadline. A connection that broke or missed one is thrown away, never reset: open another.
/// Calls are served one at a time, in order.
package actor Connection {
    private let thread: ConnectionThread
    private let configuration: ConnectionConfiguration
    private let noted: @Sendable (Notice) -> Void
    private var socket: PGSocket?
    private var prepared: Set<String> = []
    /// Written by ``interrupt()`` to wake a wait for notifications.
    private nonisolated let wakeDescriptor: Int32

    package nonisolated var unownedExecutor: UnownedSerialExecutor { thread.asUnownedSerialExecutor() }

    /// Connects, pins the session's settings and takes the shared lock, all within the connect timeout. Behind a pooler
    /// there is nothing to pin; but a pooler takes connections for a server that is away, so one statement tries it.
    ///
    /// - Parameter noted: is told what the server says beside its answers, on the connection's thread.
    package static func open(
        _ configuration: ConnectionConfiguration, noted: @escaping @Sendable (Notice) -> Void = { _ in }
    ) async throws(PostgresError) -> Connection {
        let connection = try Connection(configuration, noted)
        try await connection.connect()
        return connection
    }

    private init(
        _ configuration: ConnectionConfiguration, _ noted: @escaping @Sendable (Notice) -> Void
    ) throws(PostgresError) {
        guard let thread = ConnectionThread() else { throw .connect(sqlState: nil) }
        self.configuration = configuration
        self.noted = noted
        self.thread = thread
        wakeDescriptor = eventfd(0, Int32(EFD_NONBLOCK) | Int32(EFD_CLOEXEC))
    }

    deinit {
        if wakeDescriptor >= 0 { Glibc.close(wakeDescriptor) }
        thread.stop()
    }

    /// Runs a statement, prepared on first use, and returns its rows.
    package func query(
        _ statement: Statement,
        _ parameters: [Parameter] = [],
        timeout: Duration? = nil
    ) throws(PostgresError) -> [Row] {
        let deadline = deadline(timeout)
        if configuration.isPooled { return try runTransaction(statement, parameters, deadline) }
        if !prepared.contains(statement.name) {
            try run(statement.name, deadline) { socket in
                socket.sendPrepare(name: statement.name, text: statement.text, types: parameters.map(\.oid))
            }
            prepared.insert(statement.name)
        }
        return try run(statement.name, deadline) { socket in
            socket.sendPrepared(name: statement.name, parameters: parameters)
        }
    }

    /// Runs the statements of a migration file by the simple protocol, without parameters; the rows of the last one.
    @discardableResult
    package func run(script: String, name: String, timeout: Duration? = nil) throws(PostgresError) -> [Row] {
        try run(name, deadline(timeout)) { socket in socket.sendScript(script) }
    }

    /// Waits for notifications, of one channel or of any; returns the channel of each, none after the timeout or
    /// ``interrupt()``.
    package func waitForNotifications(
        of channel: String? = nil, timeout: Duration
    ) throws(PostgresError) -> [String] {
        guard let socket else { throw .lost(statement: nil, sqlState: nil) }
        let deadline = ContinuousClock.now + timeout
        while true {
            guard socket.consumeInput() else { throw breakOff(.lost(statement: nil, sqlState: nil)) }
            let channels = socket.drainNotifications().filter { channel == nil || channel == $0 }
            if !channels.isEmpty { return channels }
            switch socket.wait(.readable, until: deadline, orWake: wakeDescriptor) {
            case .ready: continue
            case .woken, .timedOut: return []
            }
        }
    }

    /// Ends a running or the next ``waitForNotifications(timeout:)`` early. Safe from anywhere.
    package nonisolated func interrupt() {
        var one: UInt64 = 1
        _ = write(wakeDescriptor, &one, 8)
    }

    package var isOpen: Bool { socket != nil }

    /// False once the server has hung up, as far as it is known here.
    var isAlive: Bool { socket?.isAlive == true }

    /// Ends the session; the server releases its locks.
    package func close() {
        socket = nil
    }

    // MARK: -

    private func deadline(_ timeout: Duration?) -> ContinuousClock.Instant {
        ContinuousClock.now + (timeout ?? configuration.statementTimeout + .seconds(5))
    }

    private func connect() throws(PostgresError) {
        // No descriptor is left: the socket would get none either.
        guard wakeDescriptor >= 0 else { throw .connect(sqlState: nil) }
        let deadline = ContinuousClock.now + configuration.connectTimeout
        guard let socket = PGSocket(configuration.keywords) else { throw .connect(sqlState: nil) }
        try socket.finishConnecting(until: deadline)
        tellNotices(socket, nil)
        self.socket = socket
        do {
            if configuration.isPooled {
                _ = try runTransaction(Self.trial, [], deadline)
            } else {
                try pinSession(deadline)
            }
        } catch {
            self.socket = nil
            throw error
        }
    }

    private func pinSession(_ deadline: ContinuousClock.Instant) throws(PostgresError) {
        let settings = configuration.sessionSettings
        try run("session", deadline) { socket in socket.sendSettings(settings, isLocal: false) }
        guard let key = configuration.sharedLock else { return }
        try run("session_lock", deadline) { socket in
            socket.sendUnprepared("SELECT pg_advisory_lock_shared($1)", parameters: [.bigint(key)])
        }
    }

    private static let trial = Statement(name: "session", sql: "SELECT")

    private func runTransaction(
        _ statement: Statement, _ parameters: [Parameter], _ deadline: ContinuousClock.Instant
    ) throws(PostgresError) -> [Row] {
        let settings = configuration.sessionSettings
        return try run(
            statement.name, deadline,
            send: { socket in socket.sendTransaction(settings, statement.text, parameters: parameters) },
            collect: { socket throws(PostgresError) in
                try socket.collectTransaction(statement: statement.name, until: deadline)
            })
    }

    @discardableResult
    private func run(
        _ name: String,
        _ deadline: ContinuousClock.Instant,
        send: (PGSocket) -> Bool
    ) throws(PostgresError) -> [Row] {
        try run(name, deadline, send: send) { socket throws(PostgresError) in
            try socket.collectResults(statement: name, until: deadline)
        }
    }

    private func run(
        _ name: String,
        _ deadline: ContinuousClock.Instant,
        send: (PGSocket) -> Bool,
        collect: (PGSocket) throws(PostgresError) -> [Row]
    ) throws(PostgresError) -> [Row] {
        guard let socket else { throw .lost(statement: name, sqlState: nil) }
        defer { tellNotices(socket, name) }
        guard send(socket) else { throw breakOff(.lost(statement: name, sqlState: nil)) }
        do {
            return try collect(socket)
        } catch {
            throw error.isConnectionLoss ? breakOff(error) : error
        }
    }

    private func tellNotices(_ socket: PGSocket, _ statement: String?) {
        for notice in socket.takeNotices(of: statement) { noted(notice) }
    }

    private func breakOff(_ error: PostgresError) -> PostgresError {
        socket = nil
        prepared = []
        return error
    }
}
