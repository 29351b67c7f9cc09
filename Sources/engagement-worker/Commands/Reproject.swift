import ArgumentParser
import Enrichment
import Glibc
import Postgres

struct Reproject: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Write all columns again from what was delivered, without a request to the API.",
        discussion: """
            For after an upgrade that maps more of a document, or otherwise. Rows that are as they would be are not touched; no queue, \
            gap or observation is. Running workers go on meanwhile. Broken off, it is begun again and passes over what is done.
            """
    )

    @Flag(help: "Only count what differs.") var dryRun = false
    @Option(help: "table or json.") var output: OutputFormat = .table
    @OptionGroup(title: "Settings") var options: SettingsOptions

    func run() async throws {
        let settings = try Setup.settings(options)
        let session = try await Setup.connect(settings, writes: true)
        let store = ReprojectStore(session: session)
        let style = Style.resolve(settings.color, environment: Setup.environment, isTerminal: isatty(1) == 1)
        var table = Table([
            .init(title: "table"), .init(title: "looked at", alignment: .right),
            .init(title: dryRun ? "would change" : "changed", alignment: .right),
        ])
        var rows: [JSONText] = []
        for name in ReprojectStore.tables {
            if isatty(2) == 1 { writeError("\(name) …\r") }
            let count = try await store.run(name, isDry: dryRun)
            table.add([name, Wording.count(count.looked), Wording.count(count.changed)])
            rows.append([
                "table": .string(name), "looked_at": .integer(count.looked), "changed": .integer(count.changed),
            ])
        }
        await session.close()
        switch output {
        case .json: writeOutput(JSONText.array(rows).text() + "\n")
        case .table: writeOutput(table.text(style: style))
        }
    }
}
