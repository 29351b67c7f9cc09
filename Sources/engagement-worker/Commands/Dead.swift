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

        func validate() throws {
            guard limit > 0 else { throw ValidationError("--limit is 1 or more.") }
        }

        func run() async throws {
            let settings = try Setup.settings(options)
            let session = try await Setup.connect(settings)
            let rows = try await session.query(Statements.deadList, [.textOrNull(cause), .bigint(Int64(limit))])
            // Only then there can be more.
            let all =
                try await rows.count < limit
                ? rows.count : Dead.count([.texts([]), .textOrNull(cause), .boolean(cause == nil)], session)
            await session.close()
            show(rows, output, settings)
            if all > rows.count { writeError("and \(Wording.count(all - rows.count)) more: --limit\n") }
        }
    }

    struct Show: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Show a dead letter whole; exit 1 if there is none.")

        @Argument(help: "An engagement id, or the key that dead list shows.") var id: String
        @Option(help: "table or json.") var output: OutputFormat = .table
        @OptionGroup(title: "Settings") var options: SettingsOptions

        func run() async throws {
            let settings = try Setup.settings(options)
            let session = try await Setup.connect(settings)
            let rows = try await session.query(Statements.deadShow, [.text(id)])
            await session.close()
            show(rows, output, settings)
            if rows.isEmpty { try Dead.refuse([id]) }
        }
    }

    struct Replay: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Queue dead letters again; the letters go. Exit 1 if an id has none.")

        @OptionGroup var letters: Letters
        @OptionGroup(title: "Settings") var options: SettingsOptions

        func run() async throws {
            try await letters.run(Statements.deadReplay, options, word: letters.dryRun ? "would queue" : "queued")
        }
    }

    struct Discard: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Forget dead letters. Exit 1 if an id has none.",
            discussion: """
                Nothing else changes. An engagement that was never stored is then unknown, as if nobody had inserted it. On a terminal \
                it asks before it forgets by --cause or --all.
                """
        )

        @OptionGroup var letters: Letters
        @Flag(help: "Do not ask.") var yes = false
        @OptionGroup(title: "Settings") var options: SettingsOptions

        func run() async throws {
            if letters.ids.isEmpty, !letters.dryRun, !yes {
                let which = letters.cause.map { "of cause \($0)" } ?? "there are"
                try Confirmation.ask("forget all dead letters \(which)", or: "nothing was discarded")
            }
            try await letters.run(
                Statements.deadDiscard, options, word: letters.dryRun ? "would discard" : "discarded")
        }
    }

    /// Which ones.
    struct Letters: ParsableArguments {
        @Argument(help: "Engagement ids, or keys that dead list shows.") var ids: [String] = []
        @Option(help: "All of this cause.") var cause: String?
        @Flag(help: "All there are.") var all = false
        @Flag(help: "Only count them.") var dryRun = false

        /// So many a statement: their time is bounded, and nobody waits long for a row.
        private static let slice: Int64 = 5_000

        func validate() throws {
            guard [!ids.isEmpty, cause != nil, all].filter(\.self).count == 1 else {
                throw ValidationError("Name ids, or --cause, or --all.")
            }
        }

        /// Says with the word how many it were, and which ids had no letter.
        fileprivate func run(_ statement: Statement, _ options: SettingsOptions, word: String) async throws {
            let session = try await Setup.connect(try Setup.settings(options), writes: !dryRun)
            guard let row = try await session.query(Statements.deadUnknown, [.texts(ids)]).first else { return }
            let which: [Parameter] = [.texts(ids), .textOrNull(cause), .boolean(all)]
            let count =
                try await dryRun
                ? Dead.count(which, session) : work(statement, which, before: row.text("clock"), session, word)
            await session.close()
            writeOutput("\(word) \(count)\n")
            try Dead.refuse((ArrayText.elements(try row.text("keys")) ?? []).compactMap(\.self))
        }

        /// Slice after slice, each a transaction.
        private func work(
            _ statement: Statement, _ which: [Parameter], before clock: String, _ session: Session, _ word: String
        ) async throws -> Int {
            var (count, last) = (0, "")
            do {
                while true {
                    let slice = try await session.query(
                        statement, which + [.text(clock), .text(last), .bigint(Self.slice)]
                    ).first
                    guard let slice, let key = try slice.textIfPresent("last") else { return count }
                    count += Int(try slice.integer("n"))
                    last = key
                    if try slice.integer("n") < Self.slice { return count }
                }
            } catch {
                let failure = Failure(error)
                guard count > 0 else { throw failure }
                let before = failure.hint.map { ". Before that: \($0)" } ?? ""
                throw Failure(
                    failure.code, "broken off after \(count) were \(word): \(failure.message)",
                    hint: "run it again; it goes on with those that are left\(before)")
            }
        }
    }

    fileprivate static func count(_ which: [Parameter], _ session: Session) async throws -> Int {
        Int(try await session.query(Statements.deadCount, which).first?.integer("n") ?? 0)
    }

    /// What was named and is not there.
    fileprivate static func refuse(_ ids: [String]) throws {
        guard !ids.isEmpty else { return }
        for id in ids { writeError("no dead letter of \(TextEscaper.visible(String(id.prefix(80))))\n") }
        throw ArgumentParser.ExitCode(ExitCode.found.rawValue)
    }
}

private func show(_ rows: [Row], _ output: OutputFormat, _ settings: Settings) {
    let style = Style.resolve(settings.color, environment: Setup.environment, isTerminal: isatty(1) == 1)
    let results = Results(rows: rows)
    writeOutput(output == .json ? results.json.text() + "\n" : results.table(style))
}
