import Foundation
import Synchronization

/// The real binary as a process of its own, its log in a file.
package final class WorkerProcess: Sendable {
    private let process: Process
    private let logFile: String
    private static let counter = Counter()

    /// Starts `engagement-worker` with the arguments. The environment is empty but for what is given and `PATH`.
    package init(_ arguments: [String], environment: [String: String]) throws {
        logFile = TestCluster.folder + "/worker-\(getpid())-\(Self.counter.next()).log"
        _ = FileManager.default.createFile(atPath: logFile, contents: nil)
        process = Process()
        process.executableURL = Self.binary
        process.arguments = arguments
        process.environment = environment.merging(["PATH": "/usr/bin:/bin"]) { given, _ in given }
        let output = FileHandle(forWritingAtPath: logFile)!
        process.standardOutput = output
        process.standardError = output
        process.standardInput = FileHandle.nullDevice
        try process.run()
    }

    package var processID: Int32 { process.processIdentifier }
    package var isRunning: Bool { process.isRunning }

    package func signal(_ number: Int32) { kill(process.processIdentifier, number) }

    /// `kill -9`, and the end of it.
    package func kill9() async throws {
        signal(SIGKILL)
        _ = try await exitStatus()
    }

    /// Waits for the end; the exit code, or minus the signal.
    package func exitStatus(within limit: Duration = .seconds(60)) async throws -> Int32 {
        try await eventually(within: limit, "the worker ends") { !self.process.isRunning }
        return process.terminationReason == .exit ? process.terminationStatus : -process.terminationStatus
    }

    /// The log so far, line by line, as JSON objects; a line that is none is under `unparsed`.
    package func records() -> [[String: Any]] {
        lines().map { line in
            (try? JSONSerialization.jsonObject(with: Data(line.utf8))) as? [String: Any] ?? ["unparsed": line]
        }
    }

    package func lines() -> [String] {
        let text = (try? String(contentsOfFile: logFile, encoding: .utf8)) ?? ""
        return text.split(separator: "\n").map(String.init)
    }

    package func records(of event: String) -> [[String: Any]] {
        records().filter { $0["event"] as? String == event }
    }

    package func waitFor(_ event: String, count: Int = 1, within limit: Duration = .seconds(30)) async throws {
        try await eventually(
            within: limit, "\(count) \(event) in the log:\n\(lines().suffix(5).joined(separator: "\n"))"
        ) {
            self.records(of: event).count >= count
        }
    }

    private static let binary: URL = {
        let bundle = URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath()
        return bundle.deletingLastPathComponent().appendingPathComponent("engagement-worker")
    }()
}
