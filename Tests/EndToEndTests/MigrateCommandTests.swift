import Postgres
import SQLText
import Simulator
import TestKit
import Testing

/// `migrate` as people and deployments run it.
struct MigrateCommandTests {
    private static let fresh = ["--schema", "fresh"]
    private static let tables = "SELECT count(*) FROM pg_tables WHERE schemaname = 'fresh'"

    @Test func appliesOnceAndSaysWhat() async throws {
        try await Stage.run { stage in
            let before = try await stage.command(["migrate", "--status"] + Self.fresh)
            #expect(before.status == 0)
            #expect(before.output == "schema fresh: version 0; this binary: version \(Migration.latest)\n")
            let planned = try await stage.command(["migrate", "--dry-run"] + Self.fresh)
            #expect(planned.status == 0)
            #expect(Self.count("would apply", planned) == Migration.latest)
            #expect(try await stage.database.count(Self.tables) == 0)

            let applied = try await stage.command(["migrate"] + Self.fresh)
            #expect(applied.status == 0)
            #expect(Self.count("applied", applied) == Migration.latest)
            #expect(applied.errors == "")
            let again = try await stage.command(["migrate"] + Self.fresh)
            #expect(again.output == "schema fresh is up to date (version \(Migration.latest))\n")
            let nothing = try await stage.command(["migrate", "--dry-run"] + Self.fresh)
            #expect(nothing.output == again.output)
            let after = try await stage.command(["migrate", "--status"] + Self.fresh)
            #expect(after.output.hasPrefix("schema fresh: version \(Migration.latest);"))
        }
    }

    @Test func fourAtOnceOnAnEmptySchemaAllSucceed() async throws {
        try await Stage.run { stage in
            let processes = try (0..<4).map { _ in try stage.start(["migrate"] + Self.fresh) }
            for process in processes { #expect(try await process.exitStatus() == 0, "\(process.errors)") }
            let applied = processes.map { process in
                process.output.split(separator: "\n").filter { $0.hasPrefix("applied") }.count
            }
            #expect(applied.sorted() == [0, 0, 0, Migration.latest])
            let versions = "SELECT string_agg(version::text, ',' ORDER BY version) FROM fresh.schema_migrations"
            let expected = (1...Migration.latest).map(String.init).joined(separator: ",")
            #expect(try await stage.database.value(versions) == expected)
        }
    }

    @Test func theScriptIsTheSameMigration() async throws {
        try await Stage.run { stage in
            let script = try await stage.command(["migrate", "--sql"] + Self.fresh, ["DATABASE_URL": String?.none])
            #expect(script.status == 0)
            #expect(script.errors == "")
            let other = try await stage.database.connect()
            try await other.run(script: script.output, name: "test_script")
            await other.close()
            let applied = try await stage.command(["migrate"] + Self.fresh)
            #expect(applied.output == "schema fresh is up to date (version \(Migration.latest))\n")
            let objects = """
                SELECT string_agg(c.relname, ',' ORDER BY c.relname) FROM pg_class AS c
                WHERE c.relnamespace = '%s'::regnamespace
                """
            #expect(
                try await stage.database.value(objects.replacing("%s", with: "fresh"))
                    == (try await stage.database.value(objects.replacing("%s", with: "askelephant"))))
            #expect(try await stage.command(["run", "--once"] + Self.fresh).status == 0)
        }
    }

    @Test func withoutBellThereIsNoTriggerAndPollingWorks() async throws {
        try await Stage.run { stage in
            #expect(try await stage.command(["migrate", "--without-bell"] + Self.fresh).status == 0)
            let triggers =
                "SELECT count(*) FROM pg_trigger WHERE tgname = 'ring_bell' AND tgrelid = 'fresh.enrichment_queue'::regclass"
            #expect(try await stage.database.count(triggers) == 0)
            _ = try await stage.worker(["--poll-interval", "100ms"] + Self.fresh)
            try await stage.database.wait(
                for: "SELECT count(*) FROM fresh.workers WHERE idle_until > now()", toBe: "1")
            try await stage.database.run(
                "INSERT INTO fresh.enrichment_queue (engagement_id) VALUES ('\(stage.world.id(1))')")
            try await stage.database.wait(for: "SELECT count(*) FROM fresh.engagements", toBe: "1")
        }
    }

    @Test func runMigratesWhenItIsToldTo() async throws {
        try await Stage.run { stage in
            let worker = try stage.start(["run", "--once", "--auto-migrate"] + Self.fresh)
            #expect(try await worker.exitStatus() == 0)
            #expect(worker.records(of: "schema.migrated").first?["n"] as? Int == Migration.latest)
        }
    }

    /// What was applied must be what this binary holds, or nobody knows what the schema is.
    @Test func anotherTextOfAMigrationIsRefused() async throws {
        try await Stage.run { stage in
            try await stage.database.run("UPDATE schema_migrations SET checksum = 'x' WHERE version = 2")
            let ended = try await stage.command(["migrate"])
            #expect(ended.status == 65)
            #expect(ended.errors.contains("migration 2"))
        }
    }

    private static func count(_ prefix: String, _ ended: Stage.Ended) -> Int {
        ended.output.split(separator: "\n").filter { $0.hasPrefix(prefix + " m") }.count
    }
}
