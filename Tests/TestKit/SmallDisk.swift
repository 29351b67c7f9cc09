import Foundation
import Postgres

/// A disk of a few megabytes with a tablespace `small` on it. Needs root, since it is a mount.
package final class SmallDisk: Sendable {
    package static var isPossible: Bool { geteuid() == 0 }

    private let path: String
    private let cluster: PrivateCluster
    private static let counter = Counter()

    /// Mounts one for the server, runs the test, and unmounts it.
    package static func run(
        megabytes: Int = 12, for cluster: PrivateCluster, _ test: (SmallDisk) async throws -> Void
    ) async throws {
        let path = TestCluster.folder + "/disk-\(getpid())-\(counter.next())"
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        let mounted = try await Program.run(
            "mount", ["-t", "tmpfs", "-o", "size=\(megabytes)m,mode=777", "tmpfs", path])
        guard mounted.status == 0 else { throw TimedOut(description: "mount: " + mounted.errors) }
        let disk = SmallDisk(path, cluster)
        let result: Result<Void, any Error>
        do {
            let owned = try await Program.run("chown", ["postgres", path])
            guard owned.status == 0 else { throw TimedOut(description: "chown: " + owned.errors) }
            try await cluster.run("CREATE TABLESPACE small LOCATION '\(path)'")
            result = .success(try await test(disk))
        } catch { result = .failure(error) }
        _ = try? await Program.run("umount", ["-l", path])
        try? FileManager.default.removeItem(atPath: path)
        try result.get()
    }

    private init(_ path: String, _ cluster: PrivateCluster) { (self.path, self.cluster) = (path, cluster) }

    /// Takes the room that is left, by rows that do not compress; the number of rows.
    package func fill() async throws -> Int {
        try await cluster.run("CREATE TABLE filler (bytes text) TABLESPACE small")
        try await cluster.run("ALTER TABLE filler ALTER bytes SET STORAGE PLAIN")
        var rows = 0
        for size in [7_000, 100] {
            do {
                while true {
                    try await cluster.run(
                        """
                        INSERT INTO filler
                        SELECT (SELECT string_agg(md5(random()::text || i || n), '') FROM generate_series(1, \(size) / 32) AS s(i))
                        FROM generate_series(1, 20) AS n
                        """)
                    rows += 20
                }
            } catch let error as PostgresError where error.sqlState == SQLState("53100") {
                continue
            }
        }
        return rows
    }

    /// Gives the room back.
    package func empty() async throws {
        try await cluster.run("DROP TABLE filler")
        try await cluster.run("CHECKPOINT")
    }
}
