import ArgumentParser
import AskElephant
import FoundationEssentials
import Testing

@testable import engagement_worker

/// What people read and write: the file, the example, the flags, and what must not be seen.
@Suite struct SettingsTextTests {
    private static let canary = "c4n4ry"

    @Test(arguments: [
        ("export NAME=1", "f:1 begins with 'export'; write NAME=value"),
        ("NAME=\"1\"", "f:1 (NAME) has quotes, which would become part of the value; remove them"),
        ("NAME='1'", "f:1 (NAME) has quotes, which would become part of the value; remove them"),
        ("\nNAME", "f:2 is not NAME=value"),
        ("=1", "f:1 is not NAME=value"),
        ("NAME=1\nNAME=2", "f:2 (NAME) says again what line 1 said"),
    ])
    func fileThatReadersWouldUnderstandDifferentlyIsRefused(_ text: String, _ message: String) {
        let file = EnvironmentFile(path: "f", text: text)
        #expect(SettingsError(mistakes: file.mistakes).description == message)
    }

    @Test func fileMayHaveCommentsBlanksAndWindowsLineEnds() {
        let file = EnvironmentFile(path: "f", text: "\u{FEFF}# c\r\n\r\n A = b=c \r\nB=\r\n")
        #expect(file.mistakes.isEmpty)
        #expect(file.entries == ["A": .init(value: "b=c", line: 3), "B": .init(value: "", line: 4)])
    }

    @Test(arguments: [
        ("PGHOST", "is read by libpq from the environment only; write DATABASE_URL here"),
        ("ENGAGEMENT_WORKER_CONFIG", "cannot stand in the file itself"),
        ("ASKELEPHANT_TOKN", "is no setting; did you mean ASKELEPHANT_TOKEN?"),
    ])
    func unknownNamesInTheFileAreMistakes(_ name: String, _ problem: String) {
        let file = EnvironmentFile(path: "f", text: "\(name)=x")
        let error = #expect(throws: SettingsError.self) { try Settings.resolve(environment: [:], file: file) }
        #expect(error?.description == "f:1 (\(name)) \(problem)")
    }

    @Test func fileIsReadFromDiskAndAMissingOneIsAMistake() throws {
        let path = "\(FileManager.default.temporaryDirectory.path)/\(UUID()).env"
        try Data("ENGAGEMENT_WORKER_SCHEMA=crm\n".utf8).write(to: URL(filePath: path))
        defer { try? FileManager.default.removeItem(atPath: path) }
        #expect(try Settings.load(flags: ["config": path], environment: [:]).schema == "crm")
        #expect(try Settings.load(flags: [:], environment: ["ENGAGEMENT_WORKER_CONFIG": path]).schema == "crm")
        let error = #expect(throws: SettingsError.self) {
            try Settings.load(flags: ["config": "/nowhere/w.env", "lease": "9"], environment: [:])
        }
        #expect(
            error?.description == """
                /nowhere/w.env cannot be read
                --lease '9' has no unit; write 9ms, 9s, 9m, 9h or 9d
                """)
    }

    @Test func exampleIsCommentedOutAndItsDefaultsAreTheDefaults() throws {
        let example = Settings.example()
        #expect(EnvironmentFile(path: "f", text: example).entries.isEmpty)
        for declaration in Settings.declarations where declaration.flag != "config" {
            #expect(example.contains("\n#\(declaration.variable)="), "\(declaration.variable)")
        }
        let lines = example.split(separator: "\n").filter { $0.hasPrefix("#") && !$0.hasPrefix("# ") }
        let given = lines.map { $0.dropFirst() }.filter { line in
            Settings.declarations.contains { line.hasPrefix($0.variable + "=") && $0.sample == nil }
        }
        let file = EnvironmentFile(path: "f", text: given.joined(separator: "\n"))
        var settings = try Settings.resolve(environment: [:], file: file)
        #expect(settings.sources.count == Settings.declarations.count { $0.sample == nil })
        settings.sources = [:]
        #expect(settings == Settings())
    }

    @Test func everyFlagIsDeclaredParsedAndExplained() throws {
        let help = SettingsOptions.helpMessage(columns: 400)
        for declaration in Settings.declarations {
            guard let flag = declaration.flag else { continue }
            let isSwitch = declaration.form == "true or false"
            let arguments = isSwitch ? ["--\(flag)"] : ["--\(flag)", "sample"]
            let options = try SettingsOptions.parse(arguments)
            #expect(options.flags == [flag: isSwitch ? "true" : "sample"])
            #expect(declaration.variable == "ENGAGEMENT_WORKER_" + flag.uppercased().replacing("-", with: "_"))
            #expect(help.contains("[\(declaration.variable)"), "\(flag)")
        }
        let shown = help.split(whereSeparator: { " ,/\n".contains($0) }).filter { $0.hasPrefix("--") }
        let flags = Set(Settings.declarations.compactMap(\.flag))
        #expect(shown.allSatisfy { flags.contains(String($0.dropFirst(2))) || $0.hasPrefix("--no-") || $0 == "--help" })
    }

    @Test func switchesCanBeSwitchedOff() throws {
        let flags = try SettingsOptions.parse(["--no-auto-migrate", "-j", "8"]).flags
        #expect(flags == ["auto-migrate": "false", "concurrency": "8"])
        let settings = try Settings.resolve(flags: flags, environment: ["ENGAGEMENT_WORKER_AUTO_MIGRATE": "1"])
        #expect(settings.autoMigrate == false)
    }

    @Test func flagsForSecretsAreRefusedWithTheVariableToUse() {
        #expect(SecretFlags.refusal(of: ["run", "--token=\(Self.canary)"])?.contains("ASKELEPHANT_TOKEN") == true)
        #expect(SecretFlags.refusal(of: ["run", "--token=\(Self.canary)"])?.contains(Self.canary) == false)
        #expect(SecretFlags.refusal(of: ["run", "--database-url", "x"])?.contains("DATABASE_URL") == true)
        #expect(SecretFlags.refusal(of: ["enqueue", "--", "--token"]) == nil)
        #expect(SecretFlags.refusal(of: ["run", "--once"]) == nil)
    }

    @Test func nothingThatMayBeASecretHasAFlag() {
        let secrets = Settings.declarations.filter { $0.form == "a secret" || $0.form.hasPrefix("postgresql") }
        #expect(secrets.count == 4)
        #expect(secrets.allSatisfy { $0.flag == nil })
    }

    @Test(arguments: [
        "postgresql://u:c4n4ry@h/d", "postgresql://u:c4n4ry@p@h/d", "postgres://u:a/c4n4ry@h/d",
        "postgres://u:a?c4n4ry@h/d", "postgresql://h/d?password=c4n4ry", "postgresql://h/d?pass%77ord=c4n4ry",
        "postgresql://h/d?sslpassword=c4n4ry&sslmode=require", "host=h password=c4n4ry", "password = 'a c4n4ry' host=h",
        #"password='a\'c4n4ry' host=h"#, "password=a\\ c4n4ry host=h", "host=h c4n4ry", "host=h passfile=c4n4ry",
        "postgresql://h/d?user=x&password=a@c4n4ry", "postgresql://u:p@h/d?password=a@c4n4ry",
        "postgresql:///d?host=/tmp&password=c4n4ry@b",
    ])
    func passwordsAreNotShown(_ url: String) throws {
        var settings = try Settings.resolve(environment: ["DATABASE_URL": url])
        #expect(settings.databaseURL?.reveal() == url)
        settings.migrateDatabaseURL = settings.databaseURL
        settings.token = Secret(Self.canary)
        var dumped = ""
        dump(settings, to: &dumped)
        for text in ["\(settings)", String(reflecting: settings), dumped, "\(settings.table)", "\(settings.summary)"] {
            #expect(!text.contains(Self.canary), "\(text)")
        }
        #expect(settings.summary.contains("ASKELEPHANT_TOKEN=<redacted>"))
    }

    @Test func harmlessPartsOfAConnectionStringStayVisible() {
        #expect(
            ConnectionRedaction.redacted("postgresql://u:p@h:5432/d?sslmode=require&password=x")
                == "postgresql://u:***@h:5432/d?sslmode=require&password=***")
        #expect(ConnectionRedaction.redacted("postgresql://h:5432/d") == "postgresql://h:5432/d")
        #expect(
            ConnectionRedaction.redacted("host = h  dbname='my db' password=x") == "host=h dbname=my db password=***")
    }

    @Test func mistakesDoNotQuoteSecretsAndEscapeWhatTheyQuote() {
        let environment = ["DATABASE_URL": Self.canary, "ASKELEPHANT_BASE_URL": "https://u:\(Self.canary)@h"]
        let secret = #expect(throws: SettingsError.self) { try Settings.resolve(environment: environment) }
        #expect(secret?.mistakes.count == 2)
        #expect(secret?.description.contains(Self.canary) == false)
        let forged = #expect(throws: SettingsError.self) {
            try Settings.resolve(flags: ["lease": "x\ny\u{1B}[2J"], environment: [:])
        }
        #expect(forged?.description.contains("'x\\ny\\u001b[2J'") == true)
    }
}
