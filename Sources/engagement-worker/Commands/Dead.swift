import ArgumentParser
import Enrichment
import Glibc
import Postgres
import SQLText

struct Dead: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Look at dead letters, queue them again, or forget them.",
        subcommands: [List.self, Show.self, Replay.self, Discard.self]
    )

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "List dead letters, newest first.")

        @Option(help: "Only of this cause.") var cause: String?
        @Option(help: "At most so many.") var limit: Int = 100
        @Option(help: "table or json.") var output: OutputFormat = .table
        @OptionGroup(title: "Settings") var options: SettingsOptions

        func run() async throws {
            try await printRows(options, output, Statements.deadList, [.textOrNull(cause), .bigint(Int64(limit))])
        }
    }

    struct Show: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Show a dead letter whole.")

        @Argument(help: "An engagement id, or the key that dead list shows.") var id: String
        @Option(help: "table or json.") var output: OutputFormat = .table
        @OptionGroup(title: "Settings") var options: SettingsOptions

        func run() async throws {
            try await printRows(options, output, Statements.deadShow, [.text(id)])
        }
    }

    struct Replay: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Queue dead letters again; the letters go.")

        @OptionGroup var letters: Letters
        @OptionGroup(title: "Settings") var options: SettingsOptions

        func run() async throws {
            print(
                "\(letters.dryRun ? "would queue" : "queued") \(try await letters.run(Statements.deadReplay, options))")
        }
    }

    struct Discard: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Forget dead letters.",
            discussion:
                "Nothing else changes. An engagement that was never stored is then unknown, as if nobody had inserted it."
        )

        @OptionGroup var letters: Letters
        @OptionGroup(title: "Settings") var options: SettingsOptions

        func run() async throws {
            print(
                "\(letters.dryRun ? "would discard" : "discarded") \(try await letters.run(Statements.deadDiscard, options))"
            )
        }
    }

    /// Which ones.
    struct Letters: ParsableArguments {
        @Argument(help: "Engagement ids, or keys that dead list shows.") var ids: [String] = []
        @Option(help: "All of this cause.") var cause: String?
        @Flag(help: "All there are.") var all = false
        @Flag(help: "Only count them.") var dryRun = false

        func validate() throws {
            guard [!ids.isEmpty, cause != nil, all].filter(\.self).count == 1 else {
                throw ValidationError("Name ids, or --cause, or --all.")
            }
        }

        /// How many it were.
        fileprivate func run(_ statement: Statement, _ options: SettingsOptions) async throws -> Int {
            let session = try await Setup.connect(try Setup.settings(options))
            let rows = try await session.query(
                dryRun ? Statements.deadCount : statement, [.texts(ids), .textOrNull(cause), .boolean(all)])
            await session.close()
            return rows.count
        }
    }

    private static func printRows(
        _ options: SettingsOptions, _ output: OutputFormat, _ statement: Statement, _ parameters: [Parameter]
    ) async throws {
        let settings = try Setup.settings(options)
        let session = try await Setup.connect(settings)
        let results = Results(rows: try await session.query(statement, parameters))
        await session.close()
        let style = Style.resolve(settings.color, environment: Setup.environment, isTerminal: isatty(1) == 1)
        print(output == .json ? results.json.text() + "\n" : results.table(style), terminator: "")
    }
}
