import ArgumentParser
import Enrichment
import Glibc
import Postgres

struct Doctor: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Check everything that run needs, and say what to do about each thing that is wrong.",
        discussion: """
            ✓ fine · ! worth knowing, run works all the same · ✗ run could not work · - not looked at. Each ! and ✗ is followed by \
            the next command. Exit 1 if there is a ✗, else 0. It writes nothing; of the API it asks for a page and one engagement.
            """
    )

    @Flag(help: "Ask neither the database nor the API: only what is configured.") var offline = false
    @Option(help: "table or json.") var output: OutputFormat = .table
    @OptionGroup(title: "Settings") var options: SettingsOptions

    func run() async throws {
        var findings: [Finding] = []
        var style = Style.resolve(.auto, environment: Setup.environment, isTerminal: isatty(1) == 1)
        func add(_ finding: Finding) {
            findings.append(finding)
            if output == .table { writeOutput(finding.text(style)) }
        }
        do {
            let settings = try Setup.settings(options)
            style = Style.resolve(settings.color, environment: Setup.environment, isTerminal: isatty(1) == 1)
            for member in try settings.members() {
                try await check(member) { finding in
                    var finding = finding
                    if let name = member.workspace { finding.text = "\(name): \(finding.text)" }
                    add(finding)
                }
            }
        } catch let error as SettingsError {
            for mistake in error.mistakes {
                add(.failure("configuration", mistake.description, next: "engagement-worker config example"))
            }
        }
        let failures = findings.count { $0.mark == .failure }
        switch output {
        case .json: writeOutput(JSONText.array(findings.map(\.json)).text() + "\n")
        case .table: writeOutput(failures == 0 ? "run can work\n" : "run could not work: \(failures) ✗\n")
        }
        if failures > 0 { throw ArgumentParser.ExitCode(ExitCode.found.rawValue) }
    }

    private func check(_ settings: Settings, _ add: @escaping (Finding) -> Void) async throws {
        let findings = ConfigurationChecks(settings: settings).findings()
        for finding in findings { add(finding) }
        guard !offline else { return add(.skipped("network", "not asked: --offline")) }
        if settings.database != nil {
            do {
                if try await !DatabaseChecks(settings: settings, add: add).run() {
                    add(.skipped("database", "what comes after that was not looked at"))
                }
            } catch {
                add(.failure("database", Failure(error)))
            }
        }
        try await APIChecks(settings: settings, add: add).run()
    }
}
