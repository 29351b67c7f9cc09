import Foundation
import Glibc
import Synchronization

/// A real PgBouncer on loopback before the tests' cluster, of a test's own.
package final class PgBouncer: Sendable {
    package enum Mode: String, Sendable { case transaction, session }

    private static let counter = Counter()
    private let base: String
    private let port: String
    private let process = Mutex<ChildProcess?>(nil)

    /// Starts one, runs the test, and ends it whatever becomes of that.
    ///
    /// - Parameter poolSize: connections to the server, for each database.
    package static func run(
        _ mode: Mode, poolSize: Int = 4, _ test: (PgBouncer) async throws -> Void
    ) async throws {
        let bouncer = try PgBouncer(mode, poolSize)
        let result: Result<Void, any Error>
        do {
            try await bouncer.start()
            result = .success(try await test(bouncer))
        } catch {
            result = .failure(error)
        }
        try? await bouncer.kill9()
        try result.get()
    }

    private init(_ mode: Mode, _ poolSize: Int) throws {
        base = TestCluster.folder + "/pgbouncer-\(getpid())-\(Self.counter.next())"
        port = String(Loopback.unusedPort(in: 10_000..<20_000))
        let server = TestCluster.conninfo("").split(separator: " ").filter { !$0.hasPrefix("dbname=") }
        try """
        [databases]
        * = \(server.joined(separator: " "))
        [pgbouncer]
        listen_addr = 127.0.0.1
        listen_port = \(port)
        unix_socket_dir =
        auth_type = any
        admin_users = admin
        pool_mode = \(mode.rawValue)
        default_pool_size = \(poolSize)
        server_login_retry = 1
        """.write(toFile: base + ".ini", atomically: false, encoding: .utf8)
    }

    /// The connection string of a database behind it.
    package func conninfo(_ database: String) -> String {
        "host=127.0.0.1 port=\(port) user=admin dbname=\(database)"
    }

    package func start() async throws {
        // It refuses to run as root, as the server does.
        let user = geteuid() == 0 ? ["-u", "postgres"] : []
        _ = FileManager.default.createFile(atPath: base + ".log", contents: nil)
        let started = try ChildProcess(
            "/usr/sbin/pgbouncer", user + [base + ".ini"], output: .nothing, errors: .file(base + ".log"))
        process.withLock { $0 = started }
        try await eventually("pgbouncer is up:\n\(log)") { self.log.contains("process up") }
    }

    /// Ends it as a crash would. `start()` starts it again at the same port.
    package func kill9() async throws {
        guard let running = process.withLock(\.self) else { return }
        running.signal(SIGKILL)
        try await eventually("pgbouncer ends") { !running.isRunning }
    }

    /// A command of its console, such as `RECONNECT`.
    @discardableResult
    package func command(_ command: String) async throws -> String {
        let program = try await Program.run("psql", ["-X", "-A", "-t", "-c", command, conninfo("pgbouncer")])
        guard program.status == 0 else { throw TimedOut(description: "\(command): \(program.errors)") }
        return program.output
    }

    /// What it has written since its last start.
    package var log: String { (try? String(contentsOfFile: base + ".log", encoding: .utf8)) ?? "" }
}
