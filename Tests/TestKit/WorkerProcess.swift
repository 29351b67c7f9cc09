package import Foundation
import Synchronization

/// The real binary as a process of its own, what it writes in two files.
package final class WorkerProcess: Sendable {
    private let process: ChildProcess
    private let outputFile: String
    private let errorFile: String
    private let pipe = Pipe()
    private static let counter = Counter()

    /// Starts `engagement-worker` with the arguments. The environment is empty but for what is given and `PATH`.
    ///
    /// - Parameters:
    ///   - wrapper: a program and its first arguments; it has to become what comes after them (`exec`).
    ///   - input: what it finds on standard input.
    ///   - output: where its standard output goes.
    package init(
        _ arguments: [String], environment: [String: String], through wrapper: [String] = [], input: String? = nil,
        output: Output = .file
    ) throws {
        let base = TestCluster.folder + "/worker-\(getpid())-\(Self.counter.next())"
        (outputFile, errorFile) = (base + ".out", base + ".log")
        for file in [outputFile, errorFile] { _ = FileManager.default.createFile(atPath: file, contents: nil) }
        let command = wrapper + [Self.binary.path] + arguments
        let stream: ChildProcess.Stream =
            switch output {
            case .file: .file(outputFile)
            case .full: .file("/dev/full")
            case .closed, .unread: .descriptor(pipe.fileHandleForWriting.fileDescriptor)
            }
        if output == .closed { try pipe.fileHandleForReading.close() }
        process = try ChildProcess(
            wrapper.isEmpty ? command[0] : "/usr/bin/env", wrapper.isEmpty ? arguments : command,
            environment: environment.merging(["PATH": "/usr/bin:/bin"]) { given, _ in given },
            input: try Self.input(input, base), output: stream, errors: .file(errorFile))
        try pipe.fileHandleForWriting.close()
    }

    package enum Output: Sendable, CaseIterable {
        case file
        /// A pipe without a reader: the first write fails with `EPIPE`.
        case closed
        /// A pipe whose reader does not read.
        case unread
        /// A disk that is always full.
        case full
    }

    /// What an unread output holds by now.
    package func readUnread() -> String {
        String(decoding: pipe.fileHandleForReading.availableData, as: UTF8.self)
    }

    package var processID: Int32 { process.processIdentifier }
    package var isRunning: Bool { process.isRunning }

    package func signal(_ number: Int32) { process.signal(number) }

    /// `kill -9`, and the end of it.
    package func kill9() async throws {
        signal(SIGKILL)
        _ = try await exitStatus()
    }

    /// Stops it in its tracks (SIGSTOP): connections stay, timers run on, and it does nothing until ``thaw()``.
    ///
    /// Returns once every thread stands still: kill(2) returns before they do, and one that still runs can take an
    /// answer and write it.
    package func freeze() async throws {
        signal(SIGSTOP)
        try await eventually("it stands still") { !self.isRunning || self.threadStates.allSatisfy { $0 == "T" } }
    }

    /// By `/proc` (proc_pid_stat(5)): the state is the first field behind the name in parentheses.
    private var threadStates: [Character?] {
        let folder = "/proc/\(processID)/task"
        let threads = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
        return threads.map { thread in
            let stat = try? String(contentsOfFile: "\(folder)/\(thread)/stat", encoding: .utf8)
            return stat?.split(separator: ")").last?.first { $0 != " " }
        }
    }

    package func thaw() { signal(SIGCONT) }

    /// Waits for the end; the exit code, or minus the signal.
    package func exitStatus(within limit: Duration = .seconds(60)) async throws -> Int32 {
        try await eventually(within: limit, "the worker ends:\n\(tail)") { !self.process.isRunning }
        return process.status ?? -1
    }

    /// Whether it ignores or handles SIGHUP already, by `/proc` (proc(5), SigIgn and SigCgt).
    package var survivesHangUp: Bool {
        let status = (try? String(contentsOfFile: "/proc/\(processID)/status", encoding: .utf8)) ?? ""
        return status.split(separator: "\n").contains { line in
            guard line.hasPrefix("SigIgn:") || line.hasPrefix("SigCgt:") else { return false }
            let mask = UInt64(line.split(separator: "\t").last ?? "", radix: 16) ?? 0
            return mask & (1 << (UInt64(SIGHUP) - 1)) != 0
        }
    }

    package enum Memory: String {
        /// At the moment.
        case now = "VmRSS:"
        /// At most so far.
        case most = "VmHWM:"
    }

    /// Physical memory in megabytes, by the kernel's own count (proc(5)).
    package func megabytes(_ memory: Memory) throws -> Int {
        let status = try String(contentsOfFile: "/proc/\(processID)/status", encoding: .utf8)
        let line = status.split(separator: "\n").first { $0.hasPrefix(memory.rawValue) }
        let number = line?.split(whereSeparator: { $0 == " " || $0 == "\t" }).dropFirst().first
        guard let kilobytes = number.flatMap({ Int($0) }) else {
            throw TimedOut(description: "no \(memory.rawValue) in \(status)")
        }
        return (kilobytes + 1_023) / 1_024
    }

    // MARK: What it wrote

    /// All of its standard output so far.
    package var output: String { (try? String(contentsOfFile: outputFile, encoding: .utf8)) ?? "" }

    /// All of its standard error so far.
    package var errors: String { (try? String(contentsOfFile: errorFile, encoding: .utf8)) ?? "" }

    /// The log so far, line by line, as JSON objects; a line that is none is under `unparsed`.
    package func records() -> [[String: Any]] {
        lines().map { line in
            (try? JSONSerialization.jsonObject(with: Data(line.utf8))) as? [String: Any] ?? ["unparsed": line]
        }
    }

    /// What it wrote, standard output first: `run` logs there, the other commands on standard error.
    package func lines() -> [String] {
        (output + "\n" + errors).split(separator: "\n").map(String.init)
    }

    package func records(of event: String) -> [[String: Any]] {
        let mark = "\"event\":\"\(event)\""
        let matching = lines().filter { $0.contains(mark) }
        return matching.compactMap { try? JSONSerialization.jsonObject(with: Data($0.utf8)) as? [String: Any] }
            .filter { $0["event"] as? String == event }
    }

    package func waitFor(_ event: String, count: Int = 1, within limit: Duration = .seconds(30)) async throws {
        do {
            try await eventually(within: limit, "\(count) \(event)") { self.records(of: event).count >= count }
        } catch let error as TimedOut {
            throw TimedOut(description: error.description + " in the log:\n" + tail)
        }
    }

    package var tail: String { lines().suffix(8).joined(separator: "\n") }

    // MARK: -

    private static func input(_ text: String?, _ base: String) throws -> ChildProcess.Stream {
        guard let text else { return .nothing }
        let file = base + ".in"
        try text.write(toFile: file, atomically: false, encoding: .utf8)
        return .file(file)
    }

    /// It is the one that `ENGAGEMENT_TEST_BINARY` names: the release build, where `Tests/endurance` does so.
    package static let isGiven = ProcessInfo.processInfo.environment["ENGAGEMENT_TEST_BINARY"] != nil

    /// `ENGAGEMENT_TEST_BINARY` if that is set, else the one that was built with the tests.
    package static let binary: URL = {
        if let given = ProcessInfo.processInfo.environment["ENGAGEMENT_TEST_BINARY"] {
            return URL(fileURLWithPath: given)
        }
        let bundle = URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath()
        return bundle.deletingLastPathComponent().appendingPathComponent("engagement-worker")
    }()
}
