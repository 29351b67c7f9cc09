import Foundation
import Postgres

/// A streaming standby of a ``PrivateCluster``, to be promoted.
package final class Standby: Sendable {
    package let conninfo: String
    private let folder: String
    private let session: Session
    private static let counter = Counter()

    /// Makes one, runs the test, and removes it whatever becomes of that.
    package static func run(of primary: PrivateCluster, _ test: (Standby) async throws -> Void) async throws {
        let standby = try await Standby(of: primary)
        let result: Result<Void, any Error>
        do { result = .success(try await test(standby)) } catch { result = .failure(error) }
        await standby.session.close()
        _ = try? await PrivateCluster.control(["stop", standby.folder, "immediate"])
        try? FileManager.default.removeItem(atPath: standby.folder)
        try result.get()
    }

    private init(of primary: PrivateCluster) async throws {
        folder = TestCluster.folder + "/standby-\(getpid())-\(Self.counter.next())"
        port = String(Loopback.unusedPort(in: 10_000..<20_000))
        let printed = try await PrivateCluster.control(["standby", folder, port, primary.conninfo])
        conninfo = printed.split(separator: "\n").last.map(String.init) ?? ""
        session = Session(ConnectionConfiguration(conninfo: conninfo, applicationName: "test", schema: "askelephant"))
    }

    private let port: String

    /// One connection string for both, this one first.
    package func conninfo(before primary: PrivateCluster) -> String {
        "host=\(folder),\(primary.folder) port=\(port),\(primary.port) user=postgres dbname=postgres"
    }

    package func promote() async throws { _ = try await PrivateCluster.control(["promote", folder]) }

    /// The one value of the one row.
    package func value(_ sql: String) async throws -> String? {
        let connection = try await session.current()
        guard let row = try await connection.run(script: sql, name: "test").first, let column = row.columnNames.first
        else { return nil }
        return try row.text(named: column)
    }
}
