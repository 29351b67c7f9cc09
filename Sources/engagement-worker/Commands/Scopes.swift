import ArgumentParser
import Glibc
import Postgres
import SQLText

struct Scopes: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Show what the credential may read, or try again what it may not.",
        subcommands: [List.self, Recheck.self], defaultSubcommand: List.self
    )

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Each part with its scope, whether it can be read, and the evidence; the default.",
            discussion: """
                denied: an engagement was refused with the part and delivered without it. not delivered: answers left the \
                part out though it was asked for. readable: an engagement of late has it. unknown: nothing was seen of it yet.
                """
        )

        @Option(help: "table or json.") var output: OutputFormat = .table
        @OptionGroup(title: "Settings") var options: SettingsOptions

        func run() async throws {
            let settings = try Setup.settings(options)
            let session = try await Setup.connect(settings)
            let credential = try await CredentialNote.read(settings.credentialName, session)
            let rows = try await session.query(
                Statements.scopeList, [.text(settings.credentialName), .texts(settings.expand)])
            await session.close()
            let verdicts = try rows.map(ScopeVerdict.init)
            switch output {
            case .json:
                let parts = JSONText.array(verdicts.map(\.json))
                print(
                    JSONText.object([
                        .init(name: "credential", value: credential.json), .init(name: "parts", value: parts),
                    ]).text())
            case .table:
                let style = Style.resolve(settings.color, environment: Setup.environment, isTerminal: isatty(1) == 1)
                print(credential.text + "\n\n" + ScopeVerdict.table(verdicts).text(style: style), terminator: "")
            }
        }
    }

    struct Recheck: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Have a worker try again at once what is denied, and a refused credential.")

        @Flag(help: "Say what would be tried again, and leave it.") var dryRun = false
        @OptionGroup(title: "Settings") var options: SettingsOptions

        func run() async throws {
            let settings = try Setup.settings(options)
            let session = try await Setup.connect(settings, writes: !dryRun)
            print(try await Scopes.recheck(settings.credentialName, session, isDry: dryRun), terminator: "")
            await session.close()
        }
    }

    /// Makes everything due that is denied; what to tell people.
    static func recheck(_ name: String, _ session: Session, isDry: Bool = false) async throws -> String {
        let credential = try await CredentialNote.read(name, session)
        let statement = isDry ? Statements.dryRunDenied : Statements.scopeRecheck
        let parts = try await session.query(statement, [.text(name)]).map { try $0.text("part") }.sorted()
        let tried = (credential.isRefused ? ["the credential \(name)"] : []) + parts
        guard !tried.isEmpty else { return "nothing is denied: there is nothing to try again\n" }
        guard !isDry else { return "would be tried again: \(tried.joined(separator: ", "))\n" }
        let who =
            credential.workers > 0
            ? "A running worker does it within 2 s."
            : "No worker was seen in the last 2 minutes: the next one that starts does it."
        return "tried again: \(tried.joined(separator: ", "))\n\(who)\n"
    }
}
