import ArgumentParser
import AskElephant
import Enrichment
import Glibc

struct Verify: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Compare the API's list with the tables, and show in what they differ.",
        discussion: """
            Exit 0 if in nothing, 1 otherwise. Private engagements are unknown, not fine, if the credential lists none of them. What \
            waits in the queue differs until it is done.
            """
    )

    @Option(help: "Only what changed since: a date or a time, in ISO 8601.") var since: String?
    @Flag(help: "Queue what differs, in the background lane.") var repair = false
    @Option(help: "table or json.") var output: OutputFormat = .table
    @OptionGroup(title: "Settings") var options: SettingsOptions

    func run() async throws {
        let since = try Backfill.time(since, "--since")
        let settings = try Setup.settings(options)
        let found = try await Setup.walk(settings, command: "verify", until: nil) { worker, progress in
            try await worker.verify(since: since, repairs: repair) { progress.show($0, limitedBy: $1) }
        }
        show(found)
        if !found.drift.isEmpty { throw ArgumentParser.ExitCode(1) }
    }

    private func show(_ found: Verification) {
        let counts = Drift.Cause.allCases.map { cause in (cause, found.drift.count { $0.cause == cause }) }
        switch output {
        case .json:
            print(
                JSONText.object([
                    .init(name: "listed", value: .integer(found.listed)),
                    .init(
                        name: "counts",
                        value: .object(counts.map { .init(name: $0.rawValue, value: .integer($1)) })),
                    .init(name: "drift", value: .array(found.drift.map(\.json))),
                    .init(name: "unknown", value: .array(found.unknown.map { JSONText.string($0) })),
                ]).text())
        case .table:
            for one in found.drift {
                let times = [one.listedAt.map { "listed \($0)" }, one.storedAt.map { "stored \($0)" }, one.state]
                writeOutput("\(one.id)  \(one.cause.rawValue)  \(times.compactMap(\.self).joined(separator: ", "))\n")
            }
            let causes = counts.filter { $1 > 0 }.map { "\($1) \($0.rawValue)" }.joined(separator: ", ")
            var text = "\(found.listed) engagements listed: " + (causes.isEmpty ? "all are stored as listed" : causes)
            if !found.unknown.isEmpty {
                text +=
                    "\n\(found.unknown.count) private ones are stored, of which this credential's list says nothing: unknown"
            }
            writeOutput(text + "\n")
        }
    }
}

extension Drift {
    fileprivate var json: JSONText {
        .object([
            .init(name: "id", value: .string(id)), .init(name: "cause", value: .string(cause.rawValue)),
            .init(name: "listed_at", value: JSONText(listedAt)), .init(name: "stored_at", value: JSONText(storedAt)),
            .init(name: "state", value: JSONText(state)),
        ])
    }
}
