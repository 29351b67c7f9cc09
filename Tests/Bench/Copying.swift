import Foundation
import Glibc
import Postgres
import TestKit

/// The rows that the product wrote, kept as files, and `COPY` of them into the same tables, a hundred engagements a
/// transaction: a perfect writer.
struct Copying {
    private let ground: Ground
    private let folder: String
    private let batches: Int
    private let count: Int

    /// Keeps what is stored of these engagements.
    init(_ ground: Ground, _ documents: ArraySlice<Documents.One>, folder: String) async throws {
        (self.ground, self.folder, count) = (ground, folder, documents.count)
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        chmod(folder, 0o777)
        let ids = documents.map(\.id)
        batches = (ids.count + 99) / 100
        for number in 0..<batches {
            let some = ids[number * 100..<min(number * 100 + 100, ids.count)].map { "'\($0)'" }.joined(separator: ",")
            let script = Ground.tables.map { table, key in
                "COPY (SELECT * FROM \(table) WHERE \(key) IN (\(some))) TO '\(folder)/\(number).\(table)' (FORMAT binary)"
            }
            try await ground.cluster.run(script.joined(separator: ";"))
        }
        // Shared entities are few: all with the first batch.
        for table in Ground.shared {
            try await ground.cluster.run("COPY \(table) TO '\(folder)/0.\(table)' (FORMAT binary)")
        }
    }

    /// Into tables that hold other engagements already: the seconds that it takes.
    func run() async throws -> Double {
        let (folder, batches) = (folder, batches)
        let shared = Ground.shared.map { table in
            """
            CREATE TEMP TABLE more (LIKE \(table)); COPY more FROM '\(folder)/0.\(table)' (FORMAT binary);
            INSERT INTO \(table) SELECT * FROM more ON CONFLICT DO NOTHING; DROP TABLE more
            """
        }
        try await ground.cluster.run(shared.joined(separator: ";"))
        let open = [try await ground.connect(), try await ground.connect()]
        let start = ContinuousClock.now
        try await withThrowingTaskGroup(of: Void.self) { group in
            for (lane, connection) in open.enumerated() {
                group.addTask {
                    for number in stride(from: lane, to: batches, by: 2) {
                        let copies = Ground.tables.map {
                            "COPY \($0.0) FROM '\(folder)/\(number).\($0.0)' (FORMAT binary)"
                        }
                        _ = try await connection.run(
                            script: (["BEGIN"] + copies + ["COMMIT"]).joined(separator: ";"), name: "copy")
                    }
                }
            }
            try await group.waitForAll()
        }
        let seconds = (ContinuousClock.now - start) / .seconds(1)
        for connection in open { await connection.close() }
        return seconds
    }
}
