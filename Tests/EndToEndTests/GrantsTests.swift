import Foundation
import Postgres
import SQLText
import Simulator
import TestKit
import Testing

/// The roles of deploy/grants.sql: each may do what it is for, and nothing else.
@Suite(.serialized) struct GrantsTests {
    private static let tables = Set(Migration.tables).subtracting(ledgers).subtracting(["outbox"])
    private static let ledgers: Set<String> = ["schema_migrations", "schema_objects"]
    /// What the reader sees.
    private static let open: Set<String> = [
        "public_engagements", "public_users", "public_contacts", "public_contact_links", "public_companies",
        "public_company_links", "public_action_items", "public_signals", "public_crm_links", "public_tags",
        "public_tag_links", "freshness",
        "queue_health",
        "coverage_by_part", "status_hourly",
    ]

    private func grant(_ stage: Stage) async throws {
        // Twice: after a migration it is run again.
        for _ in 0..<2 {
            let ended = try await Program.run(
                "psql",
                [
                    "-X", "-q", "-d", stage.database.conninfo, "-v", "schema=askelephant", "-f",
                    Manual.file("deploy/grants.sql").path,
                ])
            try #require(ended.status == 0, "\(ended.errors)")
        }
    }

    /// A login that is in the group.
    private func login(_ stage: Stage, _ group: String) async throws -> [String: String?] {
        let name = "\(group)_\(UInt32.random(in: 0 ... .max))"
        try await stage.database.run("CREATE ROLE \(name) LOGIN; GRANT \(group) TO \(name)")
        return ["DATABASE_URL": stage.database.conninfo + " user=\(name)"]
    }

    /// Every role against every table and view.
    @Test func theMatrixIsWhatIsMeant() async throws {
        try await Stage.run { stage in
            try await grant(stage)
            let rows = try await stage.database.run(
                """
                SELECT r.role, c.relname::text AS object, concat_ws(' ',
                    CASE WHEN has_any_column_privilege(r.role, c.oid, 'SELECT') THEN CASE WHEN has_table_privilege(r.role, c.oid, 'SELECT') THEN 'select' ELSE 'select(id)' END END,
                    CASE WHEN has_any_column_privilege(r.role, c.oid, 'INSERT') THEN CASE WHEN has_table_privilege(r.role, c.oid, 'INSERT') THEN 'insert' ELSE 'insert(some)' END END,
                    CASE WHEN has_any_column_privilege(r.role, c.oid, 'UPDATE') THEN 'update' END,
                    CASE WHEN has_table_privilege(r.role, c.oid, 'DELETE') THEN 'delete' END,
                    CASE WHEN has_table_privilege(r.role, c.oid, 'TRUNCATE') THEN 'truncate' END) AS rights
                FROM pg_class AS c, unnest(ARRAY['askelephant_inserter', 'askelephant_worker', 'askelephant_reader', 'askelephant_reader_all']) AS r(role)
                WHERE c.relnamespace = 'askelephant'::regnamespace AND c.relkind IN ('r', 'p', 'v')
                """)
            var seen: Set<String> = []
            for row in rows {
                let (role, object, rights) = (try row.text("role"), try row.text("object"), try row.text("rights"))
                seen.insert(object)
                let expected: Set<String>
                switch role {
                case "askelephant_inserter":
                    expected = object == "enrichment_queue" ? ["select(id) insert(some)"] : [""]
                // Views may be read by the worker or not; it needs none but workers_alive.
                case "askelephant_worker":
                    expected =
                        Self.tables.contains(object)
                        ? ["select insert update delete"]
                        : Self.ledgers.contains(object) ? ["select"] : ["", "select", "select insert update delete"]
                case "askelephant_reader": expected = Self.open.contains(object) ? ["select"] : [""]
                default: expected = ["select"]
                }
                #expect(expected.contains(rights), "\(role) on \(object): \(rights)")
            }
            #expect(Self.tables.union(Self.ledgers).union(Self.open).isSubset(of: seen))
            // No transcript, no address, no recording is in what the reader sees.
            let told = try await stage.database.run(
                """
                SELECT concat_ws('.', c.relname, a.attname) AS column
                FROM pg_class AS c JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0
                WHERE c.relnamespace = 'askelephant'::regnamespace AND has_column_privilege('askelephant_reader', c.oid, a.attnum, 'SELECT')
                    AND a.attname ~ 'mail|phone|address|transcript|url|recording|media|raw|payload|doc'
                """)
            #expect(try told.map { try $0.text("column") } == [])
        }
    }

    @Test func anInserterInsertsAndSeesNothing() async throws {
        try await Stage.run { stage in
            try await grant(stage)
            let url = try await login(stage, "askelephant_inserter")
            func psql(_ sql: String) async throws -> Program {
                try await Program.run("psql", ["-X", "-q", "-At", "-d", url["DATABASE_URL"]!!, "-c", sql])
            }
            let id = try await psql(
                "INSERT INTO askelephant.enrichment_queue (engagement_id, reason) VALUES ('\(stage.world.id(1))', 'crm') RETURNING id"
            )
            #expect(
                id.status == 0 && Int(id.output.trimmingCharacters(in: .whitespacesAndNewlines)) != nil, "\(id.errors)")
            for sql in [
                "SELECT engagement_id FROM askelephant.enrichment_queue", "SELECT FROM askelephant.engagements",
                "DELETE FROM askelephant.enrichment_queue",
                "SELECT state FROM askelephant.enrichment_state('\(stage.world.id(1))')",
                "INSERT INTO askelephant.enrichment_queue (engagement_id, leased_by) VALUES ('x', 1)",
            ] {
                let refused = try await psql(sql)
                #expect(refused.status == 1 && refused.errors.contains("permission denied"), "\(sql)")
            }
            #expect(try await stage.database.count("SELECT count(*) FROM enrichment_queue") == 1)
            // With the manual's function it may ask that, and no more.
            let recipe = try #require(
                try Manual("sql/README.md").text().firstMatch(of: /```sql\n(CREATE FUNCTION engagement_state[^`]*)```/))
            try await stage.database.run("BEGIN; SET LOCAL search_path = public; \(recipe.output.1); COMMIT")
            #expect(try await psql("SELECT public.engagement_state('\(stage.world.id(1))')").output == "queued\n")
        }
    }

    /// The worker's rights are enough for all that it does, and doctor finds nothing to say.
    @Test func aWorkerWorks() async throws {
        try await Stage.run { stage in
            try await grant(stage)
            stage.world.register(stage.ids(0..<5))
            let url = try await login(stage, "askelephant_worker")
            let doctor = try await stage.command(["doctor"], url)
            // But that it does not see the transactions of others: that is for the server's owner to grant.
            let marked = doctor.output.split(separator: "\n").filter { $0.hasPrefix("✗") || $0.hasPrefix("!") }
            #expect(
                doctor.status == 0 && marked.count == 1 && marked[0].hasPrefix("! vacuum"), "\(doctor.output)")
            stage.world.revoke("contacts:read")
            let worker = try await stage.worker(["--sweep-interval", "1m"], url)
            try await stage.insert(stage.ids(0..<10) + ["nonsense"])
            try await stage.database.wait(for: Stage.jobs, toBe: "0")
            stage.world.grant("contacts:read")
            #expect(try await stage.command(["scopes", "recheck"], url).status == 0)
            try await stage.database.wait(
                for: "SELECT count(*) FROM engagement_gaps WHERE part = 'contacts'", toBe: "0")
            try await stage.database.wait(
                for: "SELECT (count(*) > 0)::text FROM activity_minutes WHERE outcome = 'enriched'", toBe: "true",
                within: .seconds(25)
            )
            worker.signal(SIGTERM)
            #expect(try await worker.exitStatus() == 0)
            #expect(worker.records(of: "db.lost").isEmpty && worker.records(of: "upkeep.failed").isEmpty)
            for arguments in [
                ["dead", "replay", "--all"], ["pause"], ["resume"], ["purge", stage.world.id(3)], ["backfill"],
                ["verify"],
            ] {
                let ended = try await stage.command(arguments, url)
                #expect(ended.status == 0 || arguments == ["verify"], "\(arguments): \(ended.errors)")
            }
        }
    }

    /// Who reads all can look at everything, and change nothing.
    @Test func aReaderOfEverythingMayLook() async throws {
        try await Stage.run { stage in
            try await grant(stage)
            try await stage.insert(stage.ids(0..<3) + ["nonsense"])
            _ = try await stage.command(["run", "--once"])
            let url = try await login(stage, "askelephant_reader_all")
            let key = try #require(try await stage.database.value("SELECT key FROM dead_letters"))
            for arguments in [
                ["status"], ["status", stage.world.id(1)], ["report", "--html", "-"], ["scopes"], ["dead", "list"],
                ["dead", "show", key], ["enrich", "--dry-run", stage.world.id(1)],
            ] {
                let ended = try await stage.command(arguments, url)
                #expect(ended.status == 0, "\(arguments): \(ended.errors)")
            }
            for arguments in [
                ["pause"], ["enqueue", "ngmt_1"], ["dead", "replay", "--all"], ["purge", stage.world.id(1)],
            ] {
                let ended = try await stage.command(arguments, url)
                #expect(
                    ended.status == 78 && ended.errors.contains("the role lacks a right"),
                    "\(arguments): \(ended.errors)")
            }
            // Whether a worker could work by this role: no.
            let doctor = try await stage.command(["doctor"], url)
            #expect(
                doctor.status == 1 && doctor.output.contains(/✗ rights .* lacks INSERT/), "\(doctor.output)")
        }
    }

    /// What is private shows nowhere, neither by itself nor by who took part.
    @Test func aReaderSeesNothingPrivate() async throws {
        try await Stage.run { stage in
            try await grant(stage)
            let ids = stage.ids(0..<10)
            for id in ids.prefix(4) { stage.world.setPrivate(id) }
            try await stage.insert(ids)
            try await stage.database.run("SELECT 1")
            #expect(try await stage.command(["run", "--once"]).status == 0)
            let url = try await login(stage, "askelephant_reader")
            func count(_ object: String) async throws -> Int {
                let found = try await Program.run(
                    "psql",
                    [
                        "-X", "-q", "-At", "-d", url["DATABASE_URL"]!!, "-c",
                        "SELECT count(*) FROM askelephant.\(object)",
                    ])
                #expect(found.status == 0, "\(object): \(found.errors)")
                return Int(found.output.trimmingCharacters(in: .whitespacesAndNewlines)) ?? -1
            }
            let hidden = try await stage.database.count("SELECT count(*) FROM engagements WHERE is_private")
            #expect(hidden == 4)
            #expect(try await count("public_engagements") == 6)
            for (object, table) in [
                ("public_contact_links", "engagement_contacts"), ("public_company_links", "engagement_companies"),
                ("public_action_items", "engagement_action_items"), ("public_signals", "engagement_signals"),
            ] {
                let expected = try await stage.database.count(
                    "SELECT count(*) FROM \(table) WHERE engagement_id IN (SELECT id FROM engagements WHERE is_private IS FALSE)"
                )
                #expect(try await count(object) == expected, "\(object)")
            }
            // Who and what shows only through them is not there either.
            for (object, table, link) in [
                ("public_contacts", "engagement_contacts", "contact_id"),
                ("public_companies", "engagement_companies", "company_id"),
                ("public_tags", "engagement_tags", "tag_id"),
            ] {
                let expected = try await stage.database.count(
                    "SELECT count(DISTINCT \(link)) FROM \(table) WHERE engagement_id IN (SELECT id FROM engagements WHERE is_private IS FALSE)"
                )
                #expect(try await count(object) == expected, "\(object)")
            }
            for object in Self.open { _ = try await count(object) }
            // A function of the reader's own sees no row that the view does not show, whatever the planner would like.
            for (object, column) in [
                ("public_engagements", "id"), ("public_action_items", "engagement_id"),
                ("public_signals", "engagement_id"),
                ("public_contact_links", "engagement_id"), ("public_company_links", "engagement_id"),
                ("public_crm_links", "engagement_id"),
            ] {
                let spied = try await Program.run(
                    "psql", ["-X", "-q", "-At", "-d", url["DATABASE_URL"]!!],
                    input: """
                        CREATE FUNCTION pg_temp.spy(t text) RETURNS boolean LANGUAGE plpgsql COST 0.0000001 AS
                            $$ BEGIN RAISE NOTICE 'spied %', t; RETURN false; END $$;
                        SET enable_nestloop = off; SET enable_hashjoin = off;
                        SELECT count(*) FROM askelephant.\(object) WHERE pg_temp.spy(\(column));
                        """)
                #expect(spied.status == 0, "\(spied.errors)")
                for id in ids.prefix(4) { #expect(!spied.errors.contains(id), "\(object) shows \(id)") }
            }
        }
    }
}
