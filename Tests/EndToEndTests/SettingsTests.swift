import ArgumentParser
import AskElephant
import Enrichment
import Testing

@testable import engagement_worker

@Suite struct SettingsTests {
    @Test func nothingGivenMeansTheDefaults() throws {
        let settings = try Settings.resolve(environment: [:])
        #expect(settings == Settings())
        #expect(settings.schema == "askelephant")
        #expect(settings.pollInterval == .seconds(1))
        #expect(settings.maxDocumentBytes == 33_554_432)
        #expect(settings.baseURL == "https://app.askelephant.ai/api")
        #expect(settings.expand.count == 8)
        #expect(settings.database == nil)
        #expect(settings.tokenSource == nil)
    }

    @Test func flagWinsOverEnvironmentOverFileOverDefault() throws {
        let file = EnvironmentFile(
            path: "w.env",
            text: """
                ENGAGEMENT_WORKER_WRITERS=3
                ENGAGEMENT_WORKER_CONCURRENCY=4
                ENGAGEMENT_WORKER_MAX_ATTEMPTS=5
                """)
        let environment = ["ENGAGEMENT_WORKER_CONCURRENCY": "40", "ENGAGEMENT_WORKER_MAX_ATTEMPTS": "50"]
        let settings = try Settings.resolve(flags: ["max-attempts": "99"], environment: environment, file: file)
        #expect(settings.writers == 3)
        #expect(settings.concurrency == 40)
        #expect(settings.maxAttempts == 99)
        #expect(settings.lease == .seconds(60))
        let sources = Dictionary(uniqueKeysWithValues: settings.table.map { ($0.name, $0.source) })
        #expect(sources["writers"] == .file(path: "w.env", line: 1))
        #expect(sources["concurrency"] == .environment)
        #expect(sources["max-attempts"] == .flag)
        #expect(sources["lease"] == .default)
    }

    @Test func everyDeclarationIsReadFromItsVariable() throws {
        for declaration in Settings.declarations where declaration.flag != "config" {
            let value = declaration.show(Settings()) ?? declaration.sample ?? ""
            let settings = try Settings.resolve(
                environment: [declaration.variable: value], contents: { _ in "acme=ws_acme,/token" })
            var sources = settings.sources
            // A file of it is as good as itself.
            if sources["DATABASE_URL"] == .file(path: value, line: 1) { sources["DATABASE_URL"] = nil }
            #expect(sources == [declaration.variable: .environment], "\(declaration.variable)")
        }
    }

    @Test func theDatabaseIsNamedByAFile() throws {
        let url = "postgresql://worker:c4n4ry@db.example/crm"
        func resolve(_ environment: [String: String], _ text: String?) throws -> Settings {
            try Settings.resolve(environment: environment, exists: { _ in text != nil }, contents: { _ in text })
        }
        let settings = try resolve(["DATABASE_URL_FILE": "/url"], url + "\n")
        #expect(settings.databaseURL?.reveal() == url)
        #expect(settings.databaseURL?.description == "postgresql://worker:***@db.example/crm")
        #expect(settings.sources["DATABASE_URL"] == .file(path: "/url", line: 1))
        let surroundings = try resolve(["CREDENTIALS_DIRECTORY": "/credentials"], url)
        #expect(surroundings.databaseURLFile == "/credentials/database-url")
        #expect(surroundings.databaseURL?.reveal() == url)
        // What is said plainly wins over what is there.
        let both = try resolve(["CREDENTIALS_DIRECTORY": "/credentials", "DATABASE_URL": "host=a"], url)
        #expect(both.databaseURL?.reveal() == "host=a" && both.databaseURLFile == nil)
        for (environment, text, problem) in [
            (["DATABASE_URL_FILE": "/url", "DATABASE_URL": "host=a"], url, "are both set"),
            (["DATABASE_URL_FILE": "/url"], nil, "cannot be read: /url"),
            (["DATABASE_URL_FILE": "/url"], " \n", "is empty"),
            (["DATABASE_URL_FILE": "/url"], "c4n4ry", "/url: is neither"),
        ] as [([String: String], String?, String)] {
            let error = #expect(throws: SettingsError.self) { try resolve(environment, text) }
            #expect(error?.mistakes.count == 1 && error?.description.contains(problem) == true, "\(problem)")
            #expect(error?.description.contains("c4n4ry") == false)
        }
    }

    @Test func allMistakesAreReportedAtOnce() {
        let file = EnvironmentFile(path: "w.env", text: "ENGAGEMENT_WORKER_LEASE=1s\nENGAGEMENT_WORKER_NOPE=1\nbroken")
        let environment = [
            "ENGAGEMENT_WORKER_POLL_INTERVAL": "3O", "ENGAGEMENT_WORKER_CONCURRENCY": "0",
            "ENGAGEMENT_WORKER_CONCURENCY": "9", "DATABASE_URL": "nonsense", "ENGAGEMENT_WORKER_COLOR": "",
        ]
        let error = #expect(throws: SettingsError.self) {
            try Settings.resolve(flags: ["log-level": "loud"], environment: environment, file: file)
        }
        #expect(
            error?.description == """
                w.env:3 is not NAME=value
                DATABASE_URL is neither postgresql://… nor keywords and values such as 'host=… dbname=…'
                ENGAGEMENT_WORKER_CONCURRENCY '0' is out of range; it goes from 1 to 1024
                ENGAGEMENT_WORKER_POLL_INTERVAL '3O' has an unknown unit; the units are ms, s, m, h and d
                w.env:1 (ENGAGEMENT_WORKER_LEASE) '1s' is out of range; it goes from 5s to 10m
                --log-level 'loud' is none of debug, info, notice, warning, error
                ENGAGEMENT_WORKER_COLOR '' is none of auto, always, never
                ENGAGEMENT_WORKER_CONCURENCY is no setting; did you mean ENGAGEMENT_WORKER_CONCURRENCY?
                w.env:2 (ENGAGEMENT_WORKER_NOPE) is no setting
                """)
    }

    @Test(arguments: [
        (["backoff-base": "2m", "backoff-cap": "1m"], "backoff-base is longer than backoff-cap"),
        (["max-document-bytes": "65MB"], "max-document-bytes is larger than memory-budget"),
    ])
    func settingsThatAreWrongTogetherAreRefused(_ flags: [String: String], _ message: String) {
        let error = #expect(throws: SettingsError.self) { try Settings.resolve(flags: flags, environment: [:]) }
        #expect(error?.description == message)
    }

    @Test func partsComeInOneOrderWhateverWasWritten() throws {
        let settings = try Settings.resolve(flags: ["expand": "tags, companies,tags"], environment: [:])
        #expect(settings.expand == ["companies", "tags"])
        for wrong in ["", "companies,", "company"] {
            #expect(throws: SettingsError.self) {
                try Settings.resolve(flags: ["expand": wrong], environment: [:])
            }
        }
    }

    @Test(arguments: [
        ("250ms", Duration.milliseconds(250)), ("0s", .zero), ("30s", .seconds(30)), ("10m", .seconds(600)),
        ("1h", .seconds(3600)), ("7d", .seconds(604_800)),
    ])
    func durationsHaveUnitsAndPrintAsTheyWereWritten(_ text: String, _ duration: Duration) throws {
        #expect(try DurationText.parse(text) == duration)
        #expect(DurationText.print(duration) == text)
    }

    @Test(arguments: [
        "30", "", "s", "-1s", "1.5s", "3O", "1 s", "1S", "1min", "１s", "9999999999999999999s", "99999999999999999d",
    ])
    func durationsWithoutAUnitOrSenseAreRefused(_ text: String) {
        #expect(throws: BadValue.self) { try DurationText.parse(text) }
    }

    @Test func memoryIsInPowersOf1024() throws {
        #expect(try ByteCountText.parse("32MB") == 32 << 20)
        #expect(try ByteCountText.parse("32 MB") == 32 << 20)
        #expect(try ByteCountText.parse("1536") == 1536)
        #expect(ByteCountText.print(32 << 20) == "32MB")
        #expect(ByteCountText.print(1537) == "1537")
        for wrong in ["", "MB", "1.5MB", "1M", "-1", "9999999999999999999", "9999999999999GB"] {
            #expect(throws: BadValue.self) { try ByteCountText.parse(wrong) }
        }
    }

    @Test(arguments: [
        ("https://app.askelephant.ai/api/", false, "https://app.askelephant.ai/api"),
        ("http://127.0.0.1:8080", false, "http://127.0.0.1:8080"),
        ("http://[::1]:8080", false, "http://[::1]:8080"),
        ("http://api.example.com", true, "http://api.example.com"),
        ("http://api.example.com", false, nil),
        ("http://localhost.example.com", false, nil),
        ("http://127.0.0.1@evil.example.com", false, nil),
        ("https://", false, nil),
        ("https://api.example.com?x=1", false, nil),
        ("app.askelephant.ai", false, nil),
    ])
    func tokenIsSentInTheClearOnlyWhenAllowed(_ url: String, _ isAllowed: Bool, _ expected: String?) {
        let flags = ["allow-insecure-base-url": "\(isAllowed)"]
        let settings = try? Settings.resolve(flags: flags, environment: ["ASKELEPHANT_BASE_URL": url])
        #expect(settings?.baseURL == expected)
    }

    @Test func databaseIsTheURLOrLibpqsOwnVariables() throws {
        let libpq = try Settings.resolve(environment: ["PGHOST": "/run/postgresql", "DATABASE_URL": ""])
        #expect(libpq.database?.reveal() == "")
        let url = "postgresql://db.example.com/crm"
        let both = try Settings.resolve(environment: ["PGHOST": "/run/postgresql", "DATABASE_URL": url])
        #expect(both.database?.reveal() == url)
        #expect(both.listenDatabaseURL == nil)
        #expect(both.migrateDatabase?.reveal() == url)
        let direct = try Settings.resolve(
            environment: ["DATABASE_URL": url, "ENGAGEMENT_WORKER_LISTEN_DATABASE_URL": "host=direct"])
        #expect(direct.listenDatabaseURL?.reveal() == "host=direct")
    }

    @Test func tokenComesFromOnePlace() throws {
        let directory = ["CREDENTIALS_DIRECTORY": "/run/credentials/w"]
        let token = "/run/credentials/w/askelephant-token"
        let systemd = try Settings.resolve(environment: directory) { $0 == token }
        #expect(systemd.tokenSource == .file(token))
        #expect(systemd.table.first { $0.name == "ASKELEPHANT_TOKEN_FILE" }?.source == .credentialsDirectory)
        let other = try Settings.resolve(environment: directory) { _ in false }
        #expect(other.tokenSource == nil)
        let own = try Settings.resolve(environment: directory.merging(["ASKELEPHANT_TOKEN": "t"]) { $1 }) {
            $0 == token
        }
        #expect(own.tokenSource == .value(Secret("t")))
        #expect(throws: SettingsError.self) {
            try Settings.resolve(environment: ["ASKELEPHANT_TOKEN": "t", "ASKELEPHANT_TOKEN_FILE": "/t"])
        }
    }

    @Test func nearMissesGetASuggestionAndServiceLinksAnExplanation() {
        let known = Settings.declarations.map(\.variable)
        #expect(UnknownName.suggestion(for: "ENGAGEMENT_WORKER_SHEMA", among: known) == "ENGAGEMENT_WORKER_SCHEMA")
        #expect(UnknownName.suggestion(for: "ENGAGEMENT_WORKER_METRICS_PUSH_GATEWAY", among: known) == nil)
        let link = UnknownName.problem("ENGAGEMENT_WORKER_PORT_8080_TCP_ADDR", known: known)
        #expect(link.contains("enableServiceLinks: false"))
    }
}
