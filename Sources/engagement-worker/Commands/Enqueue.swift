import ArgumentParser
import AskElephant
import Enrichment
import Postgres

struct Enqueue: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Queue engagements, as an INSERT would.",
        discussion: "Nothing is queued if an id is not an engagement id."
    )

    @Argument(help: "Engagement ids; - reads them from standard input, one a line.") var ids: [String]
    @Option(help: "Why, free text for the log; \"deleted\" makes a 404 a tombstone.") var reason: String?
    @Option(parsing: .unconditional, help: "Above 0: before the others; below 0: in the background.") var priority:
        Int32 = 0
    @Flag(help: "Only check the ids.") var dryRun = false
    @OptionGroup(title: "Settings") var options: SettingsOptions

    func run() async throws {
        let settings = try Setup.settings(options)
        let ids = ids == ["-"] ? Self.standardInput() : ids
        let invalid = ids.filter { EngagementID($0) == nil }
        guard invalid.isEmpty else {
            let shown = invalid.prefix(5).map { TextEscaper.visible(String($0.prefix(80))) }.joined(separator: ", ")
            throw Failure(.usage, "\(invalid.count) of \(ids.count) are no engagement ids (ngmt_…): \(shown)")
        }
        if dryRun { return print("would queue \(ids.count)") }
        let session = try await Setup.connect(settings, writes: true)
        for start in stride(from: 0, to: ids.count, by: 1_000) {
            let slice = Array(ids[start..<min(start + 1_000, ids.count)])
            try await JobQueue.insert(slice, reason: reason, priority: Int64(priority), on: session)
        }
        await session.close()
        print("queued \(ids.count)")
    }

    private static func standardInput() -> [String] {
        var ids: [String] = []
        while let line = readLine() {
            let id = line.trimmed
            if !id.isEmpty { ids.append(id) }
        }
        return ids
    }
}
