import Foundation

/// A program of the system, run to its end: `psql`, `pg_dump`.
package struct Program: Sendable {
    package let status: Int32
    package let output: String
    package let errors: String

    private static let counter = Counter()

    /// Its output goes through files, so that no full pipe can stop it.
    package static func run(
        _ name: String, _ arguments: [String], input: String = "", within limit: Duration = .seconds(60)
    ) async throws -> Program {
        let base = TestCluster.folder + "/program-\(getpid())-\(counter.next())"
        let files = [base + ".in", base + ".out", base + ".err"]
        try input.write(toFile: files[0], atomically: false, encoding: .utf8)
        for file in files.dropFirst() { _ = FileManager.default.createFile(atPath: file, contents: nil) }
        defer { for file in files { try? FileManager.default.removeItem(atPath: file) } }
        let process = try ChildProcess(
            "/usr/bin/env", [name] + arguments, input: .file(files[0]), output: .file(files[1]),
            errors: .file(files[2]))
        try await eventually(within: limit, "\(name) ends") { !process.isRunning }
        return Program(
            status: process.status ?? -1,
            output: try String(contentsOfFile: files[1], encoding: .utf8),
            errors: try String(contentsOfFile: files[2], encoding: .utf8)
        )
    }
}
