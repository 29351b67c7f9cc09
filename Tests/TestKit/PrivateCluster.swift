import Enrichment
import Foundation
package import Postgres

/// A PostgreSQL server of a test's own, for tests that stop and start it: `deploy/private-cluster` in Swift.
package final class PrivateCluster: Sendable {
    /// A database with our schema, made by the first start.
    package let conninfo: String
    package let folder: String
    package let port: String
    private let options: [String]
    private let session: Session
    private static let counter = Counter()

    /// Starts one with its database migrated, runs the test, and removes it whatever becomes of that.
    ///
    /// - Parameter options: lines for `postgresql.conf`.
    package static func run(
        options: [String] = ["fsync = off"], _ test: (PrivateCluster) async throws -> Void
    ) async throws {
        let cluster = try await PrivateCluster(options: options)
        let result: Result<Void, any Error>
        do { result = .success(try await test(cluster)) } catch { result = .failure(error) }
        await cluster.remove()
        try result.get()
    }

    private init(options: [String]) async throws {
        folder = TestCluster.folder + "/cluster-\(getpid())-\(Self.counter.next())"
        port = String(Loopback.unusedPort(in: 20_000..<30_000))
        self.options = options
        let printed = try await Self.control(["start", folder, port] + options)
        conninfo = printed.trimmingCharacters(in: .whitespacesAndNewlines)
        _ = try await Migrator(conninfo: conninfo, schema: "askelephant", binaryVersion: "test").migrate()
        session = Session(ConnectionConfiguration(conninfo: conninfo, applicationName: "test", schema: "askelephant"))
    }

    /// The same over TCP, for a proxy between.
    package var tcpConninfo: String { "host=127.0.0.1 port=\(port) user=postgres dbname=postgres" }

    /// How a server is stopped.
    package enum StopMode: String, Sendable {
        /// Ends every session, then makes a checkpoint.
        case fast
        /// Without a checkpoint, as a crash would.
        case immediate
    }

    /// Stops the server without a checkpoint, as a crash would, and starts it again.
    package func crash() async throws { try await restart(.immediate) }

    /// Stops the server and starts it again; ready when this returns.
    package func restart(_ mode: StopMode) async throws {
        try await stop(mode)
        try await start()
    }

    package func start() async throws {
        _ = try await Self.control(["start", folder, port] + options)
        // Finds out that the old connection is gone, so that what the test runs next has a new one.
        _ = try? await run("SELECT")
    }

    package func stop(_ mode: StopMode) async throws { _ = try await Self.control(["stop", folder, mode.rawValue]) }

    private func remove() async {
        await session.close()
        try? await stop(.immediate)
        try? FileManager.default.removeItem(atPath: folder)
    }

    /// Runs SQL on a connection that comes back after a crash; the rows of its last statement.
    @discardableResult
    package func run(_ sql: String) async throws -> [Row] {
        let connection = try await session.current()
        do {
            return try await connection.run(script: sql, name: "test")
        } catch {
            if error.isConnectionLoss { await session.drop(connection, error) }
            throw error
        }
    }

    /// The server's port, on loopback too.
    package var portNumber: UInt16 { UInt16(port)! }

    /// The server through a proxy on loopback.
    package func conninfo(through proxy: FaultProxy) -> String {
        "host=127.0.0.1 port=\(proxy.port) user=postgres dbname=postgres"
    }

    /// Another session, for a test that needs two.
    package func connect(applicationName: String = "test") async throws -> Connection {
        try await Connection.open(
            ConnectionConfiguration(conninfo: conninfo, applicationName: applicationName, schema: "askelephant"))
    }

    /// The one value of the one row.
    package func value(_ sql: String) async throws -> String? {
        guard let row = try await run(sql).first, let column = row.columnNames.first else { return nil }
        return try row.text(named: column)
    }

    /// The one value of the one row, a number.
    package func count(_ sql: String) async throws -> Int { Int(try await value(sql) ?? "") ?? -1 }

    /// What the server has written to its log so far.
    package func serverLog() throws -> String {
        String(decoding: try Data(contentsOf: URL(fileURLWithPath: folder + "/server.log")), as: UTF8.self)
    }

    static func control(_ arguments: [String]) async throws -> String {
        let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appendingPathComponent("../..")
        let output = TestCluster.folder + "/cluster-\(getpid())-\(counter.next()).out"
        _ = FileManager.default.createFile(atPath: output, contents: nil)
        defer { try? FileManager.default.removeItem(atPath: output) }
        let process = try ChildProcess(
            root.appendingPathComponent("deploy/private-cluster").path, arguments, output: .file(output))
        try await eventually(within: .seconds(90), "private-cluster \(arguments)") { !process.isRunning }
        guard process.status == 0 else {
            throw TimedOut(description: "private-cluster \(arguments) ended with \(process.status ?? -1)")
        }
        return try String(contentsOfFile: output, encoding: .utf8)
    }
}
