import ArgumentParser
import AskElephant
import Enrichment
import Glibc
import Synchronization

struct Backfill: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Queue every engagement of the API's list that the tables do not hold as it is.",
        discussion: """
            In the background lane, where running workers take them up. Broken off, the same command goes on where it was. A second \
            whole run costs its pages and nothing else. Private engagements are listed only if the credential may read them.
            """
    )

    @Option(help: "Only what changed since: a date or a time, in ISO 8601.") var since: String?
    @Option(help: "Only what changed before.") var until: String?
    @Option(help: "table or json.") var output: OutputFormat = .table
    @OptionGroup(title: "Settings") var options: SettingsOptions

    func run() async throws {
        let (since, until) = (try Self.time(since, "--since"), try Self.time(until, "--until"))
        if let since, let until, until <= since { throw Failure(.usage, "--until is not after --since") }
        let settings = try Setup.settings(options)
        let last = try await Setup.walk(settings, command: "backfill", until: until) { worker, progress in
            try await worker.backfill(since: since, until: until) { progress.show($0, limitedBy: $1) }
            return progress.last
        }
        switch output {
        case .table: print("\(last.listed) engagements listed on \(last.pages) pages, \(last.queued) queued")
        case .json:
            print(
                JSONText.object([
                    .init(name: "pages", value: .integer(last.pages)),
                    .init(name: "listed", value: .integer(last.listed)),
                    .init(name: "queued", value: .integer(last.queued)),
                ]).text())
        }
    }

    static func time(_ text: String?, _ flag: String) throws -> UpdateTime? {
        guard let text else { return nil }
        guard let time = UpdateTime(text) ?? UpdateTime(text + "T00:00:00Z") else {
            throw Failure(.usage, "\(flag) is no date or time: 2026-01-31 or 2026-01-31T12:00:00Z")
        }
        return time
    }
}

extension Failure {
    init(_ obstacle: ListWalker.Obstacle) {
        let code: ExitCode =
            switch obstacle {
            case .taken, .stuck: .found
            case .credential: .credentialRefused
            case .rejected, .contract: .defect
            case .stopped: .stoppedEarly
            }
        self.init(code, obstacle.text, hint: obstacle.hint)
    }
}

extension Setup {
    /// Gives a worker to what walks through the list, and shows how far that is.
    static func walk<Result>(
        _ settings: Settings, command: String, until: UpdateTime?, _ work: (Worker, ProgressLine) async throws -> Result
    ) async throws -> Result {
        let log = Setup.log(settings, descriptor: 2)
        let worker = Worker(
            try Setup.worker(settings, command: command), credentials: try Setup.credentials(settings), log: log.log)
        try await Setup.within(settings.startTimeout) { try await worker.connect() }
        try await worker.prepare()
        let progress = ProgressLine(isTerminal: isatty(2) == 1, until: until)
        defer {
            progress.end()
            _ = log.writer.flush(within: .seconds(1))
        }
        do {
            let result = try await work(worker, progress)
            progress.complete()
            return result
        } catch let obstacle as ListWalker.Obstacle {
            throw Failure(obstacle)
        }
    }
}

/// How far a walk has come: a line that is written anew on a terminal, and one each 10 s elsewhere.
final class ProgressLine: Sendable {
    private struct State {
        var last = WalkProgress.none
        var first: UpdateTime?
        var shownAt: ContinuousClock.Instant?
        var isOpen = false
    }

    private let state = Mutex(State())
    private let isTerminal: Bool
    private let until: UpdateTime

    init(isTerminal: Bool, until: UpdateTime?) {
        self.isTerminal = isTerminal
        self.until = until ?? UpdateTime.now
    }

    var last: WalkProgress { state.withLock(\.last) }

    func show(_ progress: WalkProgress, limitedBy limit: Heartbeat.Limit) {
        let interval: Duration = isTerminal ? .milliseconds(100) : .seconds(10)
        state.withLock { state in
            state.last = progress
            state.first = state.first ?? progress.checkpoint
            if let shownAt = state.shownAt, .now - shownAt < interval { return }
            state.shownAt = .now
            state.isOpen = isTerminal
            writeError(isTerminal ? "\r\u{1B}[K\(bar(state))\(text(progress, limit))" : text(progress, limit) + "\n")
        }
    }

    /// The list has come to its end, which may lie long before now: the bar is full.
    func complete() {
        state.withLock { state in
            guard state.isOpen else { return }
            writeError("\r\u{1B}[K\(bar(share: 1))\(text(state.last, .nothing))")
        }
    }

    /// Leaves the line as it is.
    func end() {
        state.withLock { state in
            if state.isOpen { writeError("\n") }
            state.isOpen = false
        }
    }

    private func text(_ progress: WalkProgress, _ limit: Heartbeat.Limit) -> String {
        let reached = progress.checkpoint.map { ", up to \($0.text)" } ?? ""
        let limited = limit == .nothing ? "" : ", waiting for the \(limit == .api ? "API" : "database")"
        return "\(progress.pages) pages, \(progress.listed) listed, \(progress.queued) queued\(reached)\(limited)"
    }

    /// By time, since the list does not say how long it is.
    private func bar(_ state: State) -> String {
        guard let first = state.first, let reached = state.last.checkpoint, first < until else { return "" }
        return bar(share: min(1, max(0, reached.seconds(since: first) / until.seconds(since: first))))
    }

    private func bar(share: Double) -> String {
        let full = Int(share * 20)
        return "[" + String(repeating: "#", count: full) + String(repeating: "·", count: 20 - full) + "] "
    }
}
