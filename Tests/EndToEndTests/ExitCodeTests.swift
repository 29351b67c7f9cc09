import Foundation
import Postgres
import SQLText
import Simulator
import TestKit
import Testing

@testable import engagement_worker

/// How commands end when they cannot work: the number, and what standard error says to do.
struct ExitCodeTests {
    private static let secret = "c4n4ry"

    @Test(arguments: [
        ["frobnicate"], ["run", "--nope"], ["run", "--once=maybe"], ["enqueue"], ["enqueue", "nonsense"], ["enrich"],
        ["enrich", "nonsense"], ["dead", "replay"], ["dead", "replay", "--all", "--cause", "x"],
        ["dead", "show"], ["status", "--output", "xml"], ["config", "nope"], ["migrate", "--nope"],
        ["simulate", "--port", "x"], ["simulate", "--switch", "nonsense"], ["simulate", "--switch", "fault=loud"],
        ["simulate", "--switch", "nobody=none"], ["scopes", "--output", "xml"], ["scopes", "nope"],
        ["enrich", "--dry-run"], ["dead", "list", "--limit=-1"],
        ["enrich", "--dry-run", "nonsense"], ["run", "--token=\(secret)"],
        ["run", "--database-url", "postgresql://\(secret)"],
        ["enqueue", "--password", secret, "ngmt_1"], ["--api-key", secret],
    ])
    func wrongUsageIs64(_ arguments: [String]) async throws {
        try await Stage.run { stage in
            let ended = try await stage.command(arguments)
            #expect(ended.status == 64, "\(ended.errors)")
            #expect(ended.output == "")
            #expect(!ended.errors.isEmpty)
            #expect(!ended.errors.contains(Self.secret))
            #expect(try await stage.database.count(Stage.jobs) == 0)
        }
    }

    private static let needsASchema = [
        ["run"], ["run", "--once"], ["enqueue", "ngmt_1"], ["enrich", "ngmt_1"], ["status"], ["status", "ngmt_1"],
        ["dead", "list"], ["dead", "show", "ngmt_1"], ["dead", "replay", "--all"], ["scopes"], ["scopes", "recheck"],
        ["enrich", "--dry-run", "ngmt_1"],
    ]

    @Test(arguments: needsASchema)
    func anUnmigratedSchemaIs65AndNamesTheCommand(_ arguments: [String]) async throws {
        try await Stage.run { stage in
            let ended = try await stage.command(arguments + ["--schema", "nowhere"])
            #expect(ended.status == 65)
            #expect(ended.errors.contains("engagement-worker migrate --schema 'nowhere'"), "\(ended.errors)")
            let isRun = arguments[0] == "run"
            #expect(ended.output.contains("schema.mismatch") == isRun)
            #expect(try await stage.database.count("SELECT count(*) FROM pg_namespace WHERE nspname = 'nowhere'") == 0)
        }
    }

    @Test func oneVersionAheadIsServedAndTwoAreRefused() async throws {
        try await Stage.run { stage in
            let ahead = "INSERT INTO schema_migrations VALUES (%d, 'later', 'x', now(), '9.9.9')"
            try await stage.database.run(ahead.replacing("%d", with: String(Migration.latest + 1)))
            try await stage.insert([stage.world.id(1)])
            #expect(try await stage.command(["run", "--once"]).status == 0)
            #expect(try await stage.database.count("SELECT count(*) FROM engagements") == 1)
            try await stage.database.run(ahead.replacing("%d", with: String(Migration.latest + 2)))
            try await stage.insert([stage.world.id(2)])
            for arguments in Self.needsASchema {
                let ended = try await stage.command(arguments)
                #expect(ended.status == 65, "\(arguments)")
                #expect(ended.errors.contains("install the engagement-worker that migrated it"), "\(ended.errors)")
            }
            let migrate = try await stage.command(["migrate"])
            #expect(migrate.status == 65)
            #expect(migrate.output == "")
            let untouched = "SELECT count(*) FROM enrichment_queue WHERE claims = 0 AND leased_by IS NULL"
            #expect(try await stage.database.count(untouched) == 1)
            #expect(try await stage.database.count("SELECT count(*) FROM workers") == 0)
            #expect(stage.world.requestCount(for: stage.world.id(2)) == 0)
        }
    }

    @Test(
        arguments: needsASchema + [
            ["migrate"], ["migrate", "--status"], ["run", "--auto-migrate"], ["demo", "ngmt_1"],
        ])
    func aClosedPortIs69(_ arguments: [String]) async throws {
        let listener = try SilentListener()
        listener.close()
        try await Stage.run { stage in
            let url = "postgresql://postgres:\(Self.secret)@127.0.0.1:\(listener.port)/postgres"
            let start = ContinuousClock.now
            let ended = try await stage.command(arguments + ["--start-timeout", "1s"], ["DATABASE_URL": url])
            #expect(ended.status == 69, "\(ended.errors)")
            #expect(ContinuousClock.now - start < .seconds(10))
            #expect(ended.errors.contains("DATABASE_URL"), "\(ended.errors)")
            #expect(!(ended.output + ended.errors).contains(Self.secret))
        }
    }

    @Test(arguments: needsASchema + [["migrate"], ["demo", "ngmt_1"]])
    func anUnknownDatabaseIs78(_ arguments: [String]) async throws {
        try await Stage.run { stage in
            let ended = try await stage.command(arguments, ["DATABASE_URL": TestCluster.conninfo("nobody_made_this")])
            #expect(ended.status == 78, "\(ended.errors)")
            #expect(ended.errors.contains("DATABASE_URL"), "\(ended.errors)")
        }
    }

    @Test(arguments: [["run"], ["status"], ["migrate"], ["config", "print"], ["demo", "ngmt_1"]])
    func allMistakesAreToldAtOnce(_ arguments: [String]) async throws {
        try await Stage.run { stage in
            let ended = try await stage.command(
                arguments + ["--concurrency", "0"],
                [
                    "ENGAGEMENT_WORKER_LEASE": "soon", "ENGAGEMENT_WORKER_LEESE": "60s",
                    "ASKELEPHANT_BASE_URL": "https://u:\(Self.secret)@h",
                ])
            #expect(ended.status == 78)
            #expect(ended.output == "")
            for name in ["--concurrency", "ENGAGEMENT_WORKER_LEASE", "ENGAGEMENT_WORKER_LEESE", "ASKELEPHANT_BASE_URL"]
            {
                #expect(ended.errors.contains(name), "\(ended.errors)")
            }
            #expect(!ended.errors.contains(Self.secret))
        }
    }

    @Test func nothingToWorkOnOrWithIs78() async throws {
        try await Stage.run { stage in
            for arguments in [["run"], ["status"], ["migrate"], ["enqueue", "ngmt_1"]] {
                let ended = try await stage.command(arguments, ["DATABASE_URL": String?.none])
                #expect(ended.status == 78)
                #expect(ended.errors.contains("DATABASE_URL"))
            }
            for arguments in [["run"], ["enrich", "ngmt_1"]] {
                let ended = try await stage.command(arguments, ["ASKELEPHANT_TOKEN": String?.none])
                #expect(ended.status == 78)
                #expect(ended.errors.contains("ASKELEPHANT_TOKEN_FILE"))
            }
        }
    }

    @Test func aRefusedCredentialIs77ForACommand() async throws {
        try await Stage.run { stage in
            let id = stage.world.id(1)
            let ended = try await stage.command(["enrich", id], ["ASKELEPHANT_TOKEN": "sk-apik_\(Self.secret)"])
            #expect(ended.status == 77)
            #expect(ended.errors.contains("ASKELEPHANT_TOKEN"))
            #expect(!(ended.output + ended.errors).contains(Self.secret))
            let held = "SELECT count(*) FROM enrichment_queue WHERE engagement_id = '\(id)' AND leased_by IS NULL"
            #expect(try await stage.database.count(held) == 1)
        }
    }

    /// A database that does not serve for now is no defect of ours: 69, and what to do.
    @Test(arguments: [
        ("25006", "primary"), ("55P03", "pg_locks"), ("57014", "--statement-timeout"), ("53300", "max_connections"),
        ("57P03", "when it is ready"),
    ])
    func whatDoesNotServeNowIs69(_ code: String, _ hint: String) {
        let failure = Failure(PostgresError.lost(statement: "x", sqlState: SQLState(code)))
        #expect(failure.code == .databaseUnreachable)
        #expect(failure.hint?.contains(hint) == true, "\(failure.text)")
    }

    @Test func aLockOrAServerThatTakesNoWritesIs69() async throws {
        try await Stage.run { stage in
            let locker = try await stage.database.connect()
            _ = try await locker.run(script: "BEGIN; LOCK TABLE control", name: "lock")
            let locked = try await stage.command(["pause"])
            #expect(locked.status == 69 && locked.errors.contains("55P03") && locked.errors.contains("\nTry:   "))
            await locker.close()
            let url = stage.database.conninfo + " options='-c default_transaction_read_only=on'"
            let reading = try await stage.command(["pause"], ["DATABASE_URL": url])
            #expect(reading.status == 69 && reading.errors.contains("25006") && reading.errors.contains("primary"))
        }
    }
}
