import ArgumentParser
import Enrichment
import Glibc
import Postgres
import SQLText

struct Status: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Show how it is: the verdict first, then what it rests on; or what became of one engagement.",
        discussion: """
            Cheap on a queue of any size: counts above 10,000 are shown as 10,000+, and of large tables a sample is read, which is \
            marked ≈. With --output json a number of 10001 is such a count, and "estimated" names what was sampled.
            """
    )

    @Argument(help: "An engagement id.") var id: String?
    @Option(help: "table or json.") var output: OutputFormat = .table
    @Flag(help: "Show it again every two seconds until stopped.") var watch = false
    @Flag(help: "Exit 1 unless it is healthy, or the engagement done.") var check = false
    @OptionGroup(title: "Settings") var options: SettingsOptions

    private static let interval: Duration = .seconds(2)
    private static let minutes = 30

    func run() async throws {
        var settings = try Setup.settings(options)
        // Whoever asks how it is wants to know now.
        settings.startTimeout = min(settings.startTimeout, .seconds(5))
        let session = try await Setup.connect(settings, report: { if watch { Self.tell($0) } })
        let isTerminal = isatty(1) == 1
        let style = Style.resolve(settings.color, environment: Setup.environment, isTerminal: isTerminal)
        while watch {
            do {
                _ = try await look(session, style, clears: isTerminal)
            } catch let error as PostgresError where error.isConnectionLoss {
                // Whoever watches was told, and watches on.
            }
            try await Task.sleep(for: Self.interval)
        }
        let isGood = try await look(session, style, clears: false)
        await session.close()
        if check, !isGood { throw ArgumentParser.ExitCode(ExitCode.found.rawValue) }
    }

    private static func tell(_ event: Session.Event) {
        switch event {
        case .lost(let error): writeError("\(Failure(error).message); tried until it is back\n")
        case .restored: writeError("the database is back\n")
        case .pooled, .noted: break
        }
    }

    private func look(_ session: Session, _ style: Style, clears: Bool) async throws -> Bool {
        if let id { return try await show(id, session, style) }
        return try await overview(session, style, clears: clears)
    }

    private func show(_ id: String, _ session: Session, _ style: Style) async throws -> Bool {
        let state = Results(rows: try await session.query(Statements.stateShow, [.text(id)]))
        let row = Results(rows: try await session.query(Statements.engagementShow, [.text(id)]))
        switch output {
        case .json:
            writeOutput(
                JSONText.object([.init(name: "state", value: state.first), .init(name: "engagement", value: row.first)])
                    .text(isIndented: !watch) + "\n")
        case .table:
            writeOutput(state.table(style) + (row.rows.isEmpty ? "" : "\n" + row.table(style)))
        }
        return try state.rows.first?.text("state") == "done"
    }

    private func overview(_ session: Session, _ style: Style, clears: Bool) async throws -> Bool {
        let core = try await Overview.Core.read(session)
        // At once, unless it takes the place of what was there before.
        if output == .table, !clears { writeOutput(core.text(style)) }
        let overview = try await Overview.read(session, minutes: Self.minutes, core)
        switch output {
        case .json: writeOutput(overview.json.text(isIndented: !watch) + "\n")
        // What was longer before is cut off behind.
        case .table where clears: writeOutput("\u{1B}[H\u{1B}[J" + core.text(style) + overview.details(style))
        case .table: writeOutput(overview.details(style) + (watch ? "\n" : ""))
        }
        return overview.verdict.word == .healthy
    }
}
