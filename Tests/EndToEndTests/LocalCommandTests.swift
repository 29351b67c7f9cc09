import Foundation
import Glibc
import Simulator
import TestKit
import Testing

@testable import engagement_worker

/// Commands that need no queue: settings, version, the simulator and the demo.
struct LocalCommandTests {
    private static let secret = "c4n4ry"

    @Test(arguments: ["table", "json"])
    func configPrintShowsEverythingButSecrets(_ output: String) async throws {
        try await Stage.run { stage in
            let ended = try await stage.command(
                ["config", "print", "--output", output, "--lease", "45s"],
                [
                    "DATABASE_URL": "postgresql://worker:\(Self.secret)@db.example/crm",
                    "ENGAGEMENT_WORKER_LISTEN_DATABASE_URL": "host=db password=\(Self.secret)",
                    "ASKELEPHANT_TOKEN": "sk-apik_\(Self.secret).\(Self.secret)",
                ])
            #expect(ended.status == 0)
            #expect(ended.errors == "")
            #expect(!ended.output.contains(Self.secret))
            for declaration in Settings.declarations {
                #expect(ended.output.contains(declaration.flag ?? declaration.variable))
            }
            #expect(ended.output.contains("worker:***@db.example/crm"))
            guard output == "json" else { return }
            let rows = try #require(try JSONSerialization.jsonObject(with: Data(ended.output.utf8)) as? [[String: Any]])
            let lease = try #require(rows.first { $0["name"] as? String == "lease" })
            #expect(lease["value"] as? String == "45s")
            #expect((lease["source"] as? String)?.contains("flag") == true)
        }
    }

    /// As systemd's LoadCredential= has it; only if the file is there.
    @Test func theTokenIsFoundInTheCredentialsDirectory() async throws {
        let folder = TestCluster.folder + "/credentials-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        try await Stage.run { stage in
            let changes: [String: String?] = ["ASKELEPHANT_TOKEN": nil, "CREDENTIALS_DIRECTORY": folder]
            #expect(try await stage.command(["enrich", stage.world.id(1)], changes).status == 78)
            let file = folder + "/askelephant-token"
            try (Simulator.demoToken + "\n").write(toFile: file, atomically: true, encoding: .utf8)
            #expect(try await stage.command(["enrich", stage.world.id(1)], changes).status == 0)
            let print = try await stage.command(["config", "print"], changes)
            let line = try #require(print.output.split(separator: "\n").first { $0.contains("ASKELEPHANT_TOKEN_FILE") })
            #expect(line.contains(file) && line.contains("$CREDENTIALS_DIRECTORY"))
        }
    }

    /// As it is, and with everything uncommented: the samples and the defaults are values that parse.
    @Test func configExampleLoadsBack() async throws {
        let file = TestCluster.folder + "/example-\(UUID().uuidString).env"
        defer { try? FileManager.default.removeItem(atPath: file) }
        try await Stage.run { stage in
            let example = try await stage.command(["config", "example"])
            #expect(example.status == 0)
            let print = ["config", "print", "--config", file, "--output", "json"]
            let bare = stage.environment.mapValues { _ in String?.none }
            try example.output.write(toFile: file, atomically: true, encoding: .utf8)
            #expect(try await stage.command(print, bare).status == 0)

            let lines = example.output.split(separator: "\n", omittingEmptySubsequences: false).map { line in
                // One of the two names of a token may be set, of the database, and of workspaces.
                let isOther = [
                    "#ASKELEPHANT_TOKEN=", "#DATABASE_URL_FILE=", "#ENGAGEMENT_WORKER_WORKSPACES_FILE=",
                ].contains {
                    line.hasPrefix($0)
                }
                let isSetting = line.hasPrefix("#") && !line.hasPrefix("# ") && !isOther
                return isSetting ? line.dropFirst() : line
            }
            try lines.joined(separator: "\n").write(toFile: file, atomically: true, encoding: .utf8)
            let loaded = try await stage.command(print, bare)
            #expect(loaded.status == 0, "\(loaded.errors)")
            let rows = try #require(
                try JSONSerialization.jsonObject(with: Data(loaded.output.utf8)) as? [[String: Any]])
            let fromFile = rows.filter { ($0["source"] as? String)?.contains(file) == true }
            #expect(fromFile.count == Settings.declarations.count - 4)
            let defaults = Dictionary(uniqueKeysWithValues: Settings().table.map { ($0.name, $0.value) })
            for row in fromFile {
                let name = try #require(row["name"] as? String)
                if let value = defaults[name] ?? nil { #expect(row["value"] as? String == value) }
            }
        }
    }

    @Test(arguments: [["version"], ["--version"]])
    func versionIsOneLine(_ arguments: [String]) async throws {
        try await Stage.run { stage in
            let ended = try await stage.command(arguments)
            #expect(ended.status == 0)
            #expect(ended.output.hasSuffix(Version.current + "\n"))
            #expect(ended.output.filter(\.isNewline).count == 1)
        }
    }

    @Test(arguments: [["--help"], ["help", "run"], ["enrich", "--help"]])
    func helpIsNoError(_ arguments: [String]) async throws {
        try await Stage.run { stage in
            let ended = try await stage.command(arguments)
            #expect(ended.status == 0)
            #expect(ended.output.contains("USAGE"))
        }
    }

    /// What it prints is the environment of a worker, also when nobody looks at a terminal.
    @Test func simulateServesUntilTerm() async throws {
        try await Stage.run { stage in
            let server = try stage.start(["simulate", "--port", "0", "--seed", "5"])
            try await eventually("the address is printed") { server.output.contains("ASKELEPHANT_TOKEN=") }
            var environment: [String: String?] = [:]
            for line in server.output.split(separator: "\n") {
                let parts = line.split(separator: "=", maxSplits: 1).map(String.init)
                environment[parts[0]] = parts[1]
            }
            let ended = try await stage.command(["enrich", "ngmt_1"], environment)
            #expect(ended.status == 0, "\(ended.errors)")
            #expect(try await stage.database.value("SELECT id FROM engagements") == "ngmt_1")
            server.signal(SIGTERM)
            #expect(try await server.exitStatus(within: .seconds(5)) == 0)
        }
    }

    @Test func demoMigratesInsertsAndShows() async throws {
        try await Stage.run { stage in
            let changes: [String: String?] = [
                "ASKELEPHANT_TOKEN": nil, "ASKELEPHANT_BASE_URL": nil, "ENGAGEMENT_WORKER_LOG_LEVEL": nil,
            ]
            let ended = try await stage.command(["demo", "--schema", "demo"], changes)
            #expect(ended.status == 0, "\(ended.errors)")
            #expect(ended.errors == "")
            for text in ["INSERT INTO enrichment_queue", "job.done", "engagement_crm_links", "missing_parts"] {
                #expect(ended.output.contains(text))
            }
            #expect(try await stage.database.count("SELECT count(*) FROM demo.engagements") == 9)
            // The gap as a sentence, the grant, and nothing left of it.
            for text in [
                "the token lacks contacts:read", "scope.denied", "tried again: contacts", "scope.granted",
                "reason=refill",
            ] {
                #expect(ended.output.contains(text), "\(text)")
            }
            let denied = "SELECT count(*) FROM demo.engagement_gaps WHERE cause = 'scope_denied'"
            #expect(try await stage.database.count(denied) == 0)
            #expect(try await stage.database.count("SELECT count(*) FROM demo.engagement_contacts") > 9)
            let again = try await stage.command(["demo", "--schema", "demo"], changes)
            #expect(again.status == 0, "\(again.errors)")
        }
    }
}
