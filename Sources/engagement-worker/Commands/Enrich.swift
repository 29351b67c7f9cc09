import ArgumentParser
import AskElephant
import Enrichment
import Glibc
import Postgres
import SQLText

struct Enrich: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Enrich engagements now and show what was written.",
        discussion: """
            Exit 0 when written, 1 when one could not be, 77 when the credential was refused. With --dry-run the requests are \
            made and shown, with what they would change; nothing is written, and a role that may only read will do.
            """
    )

    @Argument(help: "Engagement ids.") var ids: [String]
    @Flag(help: "Let the answer win against a newer stored one: for a source that was restored from a backup.")
    var force = false
    @Flag(help: "Make the requests, show them and what would change, and write nothing.") var dryRun = false
    @Option(help: "table or json.") var output: OutputFormat = .table
    @OptionGroup(title: "Settings") var options: SettingsOptions

    func run() async throws {
        let settings = try Setup.settings(options)
        let engagements = try EngagementID.all(ids)
        if dryRun { return try await DryRun(settings: settings, force: force, output: output).run(engagements) }
        let log = Setup.log(settings, descriptor: 2)
        let worker = Worker(
            try Setup.worker(settings, command: "enrich"), credentials: try Setup.credentials(settings), log: log.log,
            keepsEnded: true
        )
        try await Setup.within(settings.startTimeout) { try await worker.connect() }
        try await worker.prepare()
        let ends = try await worker.enrich(engagements, force: force)
        _ = log.writer.flush(within: .seconds(1))
        try await show(engagements, settings)
        if ends.contains(where: { $0.cause == Cause.credential.rawValue }) {
            throw Failure(.credentialRefused, "the API refuses the credential", hint: "check ASKELEPHANT_TOKEN_FILE")
        }
        let written: Set<JobDone.Outcome> = [.enriched, .unchanged, .partial, .superseded, .deleted, .suppressed]
        if ends.contains(where: { !written.contains($0.outcome) }) { throw ArgumentParser.ExitCode(1) }
    }

    private func show(_ engagements: [EngagementID], _ settings: Settings) async throws {
        // A standby may not have it yet.
        let session = try await Setup.connect(settings, writes: true)
        var rows: [JSONText] = []
        let style = Style.resolve(settings.color, environment: Setup.environment, isTerminal: isatty(1) == 1)
        for engagement in engagements {
            let results = Results(
                rows: try await session.query(Statements.engagementShow, [.text(engagement.rawValue)]))
            if output == .table { print(results.table(style), terminator: "") } else { rows.append(results.first) }
        }
        if output == .json { print(JSONText.array(rows).text()) }
        await session.close()
    }
}

extension EngagementID {
    /// Arguments of a command.
    static func all(_ ids: [String]) throws(Failure) -> [EngagementID] {
        try ids.map { id throws(Failure) in
            guard let engagement = EngagementID(id) else {
                throw Failure(.usage, "no engagement id (ngmt_…): \(TextEscaper.visible(String(id.prefix(80))))")
            }
            return engagement
        }
    }
}
