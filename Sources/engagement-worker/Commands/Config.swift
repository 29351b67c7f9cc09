import ArgumentParser
import Glibc

struct Config: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Show the settings.", subcommands: [Print.self, Example.self]
    )

    struct Print: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Every value and where it came from; secrets redacted.")

        @Option(help: "table or json.") var output: OutputFormat = .table
        @OptionGroup(title: "Settings") var options: SettingsOptions

        func run() throws {
            let settings = try Setup.settings(options)
            switch output {
            case .table:
                let style = Style.resolve(settings.color, environment: Setup.environment, isTerminal: isatty(1) == 1)
                // A path that is cut is of no use.
                var table = Table([
                    Table.Column(title: "setting"), Table.Column(title: "value", maximumWidth: 4_096),
                    Table.Column(title: "from"),
                ])
                for row in settings.table { table.add([row.name, row.value, row.source.text]) }
                print(table.text(style: style), terminator: "")
            case .json:
                let rows = settings.table.map { row in
                    JSONText.object([
                        .init(name: "name", value: .string(row.name)),
                        .init(name: "variable", value: .string(row.variable)),
                        .init(name: "value", value: JSONText(row.value)),
                        .init(name: "source", value: .string(row.source.text)),
                    ])
                }
                print(JSONText.array(rows).text())
            }
        }
    }

    struct Example: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "A commented file of all settings, for --config.")

        func run() { print(Settings.example(), terminator: "") }
    }
}
