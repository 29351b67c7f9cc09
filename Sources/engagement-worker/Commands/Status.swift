import ArgumentParser
import Enrichment
import Glibc
import Postgres
import SQLText

struct Status: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Show queue, workers, gaps and dead letters; or what became of one engagement."
    )

    @Argument(help: "An engagement id.") var id: String?
    @Option(help: "table or json.") var output: OutputFormat = .table
    @OptionGroup(title: "Settings") var options: SettingsOptions

    func run() async throws {
        let settings = try Setup.settings(options)
        let session = try await Setup.connect(settings)
        let style = Style.resolve(settings.color, environment: Setup.environment, isTerminal: isatty(1) == 1)
        if let id {
            try await show(id, session, style)
        } else {
            try await overview(session, style)
        }
        await session.close()
    }

    private func show(_ id: String, _ session: Session, _ style: Style) async throws {
        let state = Results(rows: try await session.query(Statements.stateShow, [.text(id)]))
        let row = Results(rows: try await session.query(Statements.engagementShow, [.text(id)]))
        switch output {
        case .json:
            print(
                JSONText.object([.init(name: "state", value: state.first), .init(name: "engagement", value: row.first)])
                    .text())
        case .table:
            print(state.table(style), terminator: "")
            if !row.rows.isEmpty { print("\n" + row.table(style), terminator: "") }
        }
    }

    private func overview(_ session: Session, _ style: Style) async throws {
        let sections: [(String, Statement)] = [
            ("queue", Statements.statusQueue), ("engagements", Statements.statusSuccess),
            ("workers", Statements.statusWorkers), ("gaps", Statements.statusGaps),
            ("dead letters", Statements.statusDead), ("completeness", Statements.statusWalks),
        ]
        var members: [JSONText.Member] = []
        for (title, statement) in sections {
            let results = Results(rows: try await session.query(statement))
            switch output {
            case .json: members.append(.init(name: title.replacing(" ", with: "_"), value: results.json))
            case .table: print(style.paint(title, .cyan) + "\n" + results.table(style))
            }
        }
        if output == .json { print(JSONText.object(members).text()) }
    }
}
