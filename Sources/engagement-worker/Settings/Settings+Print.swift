/// One row of `config print`.
struct SettingRow: Equatable, Sendable {
    /// The flag's name, or the variable's where there is no flag.
    var name: String
    var variable: String
    /// Redacted where it must be; nil for none.
    var value: String?
    var source: SettingSource
    var help: String
}

extension Settings {
    /// Every setting with its value, redacted, and where that came from.
    var table: [SettingRow] {
        Self.declarations.map { declaration in
            SettingRow(
                name: declaration.flag ?? declaration.variable,
                variable: declaration.variable,
                value: declaration.show(self),
                source: sources[declaration.variable] ?? .default,
                help: declaration.help
            )
        }
    }

    /// `name=value` of every setting that has a value, redacted, for the record `worker.start`.
    var summary: [String] {
        table.compactMap { row in row.value.map { "\(row.name)=\($0)" } }
    }

    /// A commented file for `--config`: every setting, commented out, at its default.
    static func example() -> String {
        let header = """
            # Settings of engagement-worker, for --config FILE or systemd's EnvironmentFile=.
            # NAME=value, without quotes and without "export". A flag wins over the environment, the environment over
            # this file. What is commented out below stands at its default.

            """
        let defaults = Settings()
        return declarations.filter { $0.flag != "config" }.reduce(into: header) { text, declaration in
            let value = declaration.show(defaults) ?? declaration.sample ?? ""
            text += "\n# \(declaration.help).\n# Give \(declaration.form).\n#\(declaration.variable)=\(value)\n"
        }
    }
}
