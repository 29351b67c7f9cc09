import Foundation
import Postgres
import SQLText
import TestKit
import Testing

/// The schema as people meet it.
struct SchemaTests {
    /// The file is made anew with UPDATE_SCHEMA_SNAPSHOT=1 in the environment; its difference is what a reviewer reads.
    @Test func theSchemaIsTheOneInTheFile() async throws {
        try await withTestDatabase { database in
            let lines = try await SchemaCatalog.lines(database)
            let file = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appendingPathComponent("schema.txt")
            if ProcessInfo.processInfo.environment["UPDATE_SCHEMA_SNAPSHOT"] != nil {
                try Data((lines.joined(separator: "\n") + "\n").utf8).write(to: file)
            }
            let written = try String(contentsOf: file, encoding: .utf8).split(separator: "\n").map(String.init)
            let difference = lines.difference(from: written).map { change in
                switch change {
                case .insert(_, let line, _): "+ \(line)"
                case .remove(_, let line, _): "- \(line)"
                }
            }
            #expect(difference == [], "schema.txt is not current")
        }
    }

    @Test func everythingHasAComment() async throws {
        try await withTestDatabase { database in
            let bare = try await database.run(
                """
                SELECT c.relname AS name FROM pg_class AS c
                WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind IN ('r', 'v')
                  AND obj_description(c.oid, 'pg_class') IS NULL
                UNION ALL
                SELECT c.relname || '.' || a.attname FROM pg_class AS c
                JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
                WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind IN ('r', 'v')
                  AND col_description(c.oid, a.attnum) IS NULL
                UNION ALL
                SELECT p.proname || '()' FROM pg_proc AS p
                WHERE p.pronamespace = current_schema()::regnamespace AND obj_description(p.oid, 'pg_proc') IS NULL
                UNION ALL
                SELECT t.typname FROM pg_type AS t JOIN pg_class AS c ON c.oid = t.typrelid AND c.relkind = 'c'
                WHERE t.typnamespace = current_schema()::regnamespace AND obj_description(t.oid, 'pg_type') IS NULL
                """)
            #expect(try bare.map { try $0.text("name") } == [])
        }
    }

    /// sql/TABLES.md is what the comments say; UPDATE_SCHEMA_SNAPSHOT=1 makes it anew.
    @Test func theListOfColumnsIsCurrent() async throws {
        try await withTestDatabase { database in
            let rows = try await database.run(
                """
                SELECT c.relname::text AS relation, c.relkind = 'v' AS is_view, obj_description(c.oid, 'pg_class') AS about,
                       a.attname::text AS name, format_type(a.atttypid, a.atttypmod) AS type, col_description(c.oid, a.attnum) AS text
                FROM pg_class AS c JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
                WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind IN ('r', 'v')
                ORDER BY c.relname, a.attnum
                """)
            var page = """
                # Tables and views, column by column

                Made from the comments in the migrations: `\\d+ askelephant.*` in psql shows the same. What they are for: [README.md](../README.md), how
                they hang together: [sql/README.md](README.md).

                """
            var relation = ""
            for row in rows {
                if try row.text("relation") != relation {
                    relation = try row.text("relation")
                    page +=
                        "\n## \(relation)\n\n\(try row.boolean("is_view") ? "View. " : "")\(try row.text("about"))\n\n| column | type | |\n| --- | --- | --- |\n"
                }
                let text = try row.text("text").replacing("|", with: "\\|")
                page += "| `\(try row.text("name"))` | \(try row.text("type")) | \(text) |\n"
            }
            let file = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appending(
                path: "../../sql/TABLES.md")
            if ProcessInfo.processInfo.environment["UPDATE_SCHEMA_SNAPSHOT"] != nil {
                try page.write(to: file, atomically: true, encoding: .utf8)
            }
            #expect(try String(contentsOf: file, encoding: .utf8) == page, "sql/TABLES.md is not current")
        }
    }

    /// Both lists of our tables are what the migrations make, and the outbox, which not everybody has.
    @Test func theListsOfTablesAreWhole() async throws {
        try await withTestDatabase { database in
            let made = try await database.run(
                "SELECT relname::text AS name FROM pg_class WHERE relnamespace = current_schema()::regnamespace AND relkind IN ('r', 'p')"
            )
            let expected = Set(try made.map { try $0.text("name") }).union(["outbox"])
            #expect(Set(Migration.tables) == expected)
            let listed = try await database.run("SELECT unnest(own_tables()) AS name")
            #expect(Set(try listed.map { try $0.text("name") }) == expected)
        }
    }

    @Test func largeColumnsCompressWithLZ4() async throws {
        try await withTestDatabase { database in
            let columns = try await database.run(
                """
                SELECT c.relname || '.' || a.attname AS name FROM pg_class AS c
                JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attcompression = 'l'
                WHERE c.relnamespace = current_schema()::regnamespace ORDER BY 1
                """)
            #expect(
                try columns.map { try $0.text("name") } == [
                    "companies._raw", "contacts._raw", "engagement_action_items._raw", "engagement_signals._raw",
                    "engagement_transcripts.transcript", "engagements._parts", "engagements._raw",
                ])
        }
    }

    @Test func functionsPinTheirPathOrUseNothingOfOurs() async throws {
        try await withTestDatabase { database in
            let loose = try await database.run(
                """
                SELECT p.proname AS name FROM pg_proc AS p
                WHERE p.pronamespace = current_schema()::regnamespace AND p.prosecdef AND p.proname <> 'ring_bell'
                  AND NOT coalesce('search_path="askelephant", pg_temp' = ANY (p.proconfig), false)
                """)
            #expect(try loose.map { try $0.text("name") } == [])
            // With another path, or none, everything for people still works.
            let stranger = try await database.connect()
            _ = try await stranger.run(
                script: """
                    SET search_path = '';
                    INSERT INTO askelephant.enrichment_queue (engagement_id) VALUES ('ngmt_a');
                    SELECT * FROM askelephant.engagements_live; SELECT * FROM askelephant.missing_parts;
                    SELECT * FROM askelephant.queue_health; SELECT * FROM askelephant.freshness
                    """, name: "stranger")
            let state = try await stranger.run(
                script: "SELECT state FROM askelephant.enrichment_state('ngmt_a')", name: "state")
            #expect(try state.first?.text("state") == "queued")
            await stranger.close()
        }
    }
}
