import Foundation
import Postgres
import Simulator
import TestKit
import Testing

/// What the manuals tell people to ask the database is asked, as it stands there.
struct QuestionTests {
    private static func blocks(_ path: String, in title: String) throws -> [String] {
        let text = try String(contentsOf: Manual.file(path), encoding: .utf8)
        let start = try #require(text.range(of: "\n## \(title)\n")).upperBound
        let section = text[start...].prefix(upTo: text[start...].range(of: "\n## ")?.lowerBound ?? text.endIndex)
        return section.matches(of: /```sql\n([\s\S]*?)\n```/).map { String($0.output.1) }
    }

    private func psql(_ stage: Stage, _ sql: String) async throws -> String {
        let ended = try await Program.run(
            "psql", ["-X", "-q", "-At", "-v", "ON_ERROR_STOP=1", "-d", stage.database.conninfo], input: sql)
        #expect(ended.status == 0, "\(sql): \(ended.errors)")
        return ended.output
    }

    @Test func eachQuestionHasAnAnswer() async throws {
        try await Stage.run { stage in
            stage.world.revoke("users:read")
            try await stage.insert(stage.ids(0..<150))
            #expect(try await stage.command(["run", "--once"]).status == 0)
            // As if they had taken place of late, about what is asked for.
            try await stage.database.run(
                """
                UPDATE engagements SET engagement_type = 'CALL', start_at = now() - interval '1 day';
                UPDATE crm_associations SET object_type = 'deal';
                UPDATE engagement_action_items SET status = 'OPEN', completed_at = NULL;
                UPDATE engagement_transcripts SET transcript = transcript || ' and the renewal'
                """)
            let blocks = try Self.blocks("sql/README.md", in: "Questions")
            #expect(blocks.count == 6)
            for block in blocks {
                #expect(try await !psql(stage, block).isEmpty, "no answer to \(block)")
            }
            // The index is used where there is enough to read.
            let plan = try await psql(
                stage,
                "SET enable_seqscan = off; EXPLAIN SELECT FROM askelephant.engagement_transcripts WHERE to_tsvector('english', transcript) @@ 'a'::tsquery"
            )
            #expect(plan.contains("my_transcript_search"))
            // What stands elsewhere in the manual, too.
            for block in try Self.blocks("sql/README.md", in: "Provenance: where a value is from") {
                _ = try await psql(stage, block)
            }
        }
    }

    /// The model is what the tables say, after whatever happens to them; a second run changes nothing.
    @Test func theIncrementalModelFollows() async throws {
        try await Stage.run { stage in
            let recipe = try String(contentsOf: Manual.file("sql/examples/incremental_model.sql"), encoding: .utf8)
            func modelled() async throws -> String? {
                try await stage.database.value(
                    "SELECT md5(string_agg(m::text, '|' ORDER BY m.key)) FROM models.calls AS m")
            }
            func check(_ what: String) async throws {
                _ = try await psql(stage, recipe)
                let differing = try await stage.database.count(
                    """
                    SELECT count(*) FROM (
                        SELECT e.id, e.title, e.occurred_at, e.owner_user_id,
                               (SELECT count(*) FROM engagement_contacts AS k WHERE k.engagement_id = e.id) AS contacts,
                               ARRAY(SELECT DISTINCT a.crm_object_id FROM crm_associations AS a
                                     WHERE a.subject_type = 'engagement' AND a.subject_id = e.id AND a.removed_at IS NULL AND a.object_type = 'deal'
                                     ORDER BY 1) AS deals
                        FROM engagements_live AS e WHERE e.engagement_type = 'CALL') AS e
                    FULL JOIN models.calls AS m ON m.engagement_id = e.id
                    WHERE (e.id, e.title, e.occurred_at, e.owner_user_id, e.contacts) IS DISTINCT FROM
                          (m.engagement_id, m.title, m.occurred_at, m.owner_user_id, m.contacts)
                       OR cardinality(e.deals) <> cardinality(m.deals)
                    """)
                #expect(differing == 0, "\(what)")
                let before = try await modelled()
                _ = try await psql(stage, recipe)
                #expect(try await modelled() == before, "\(what), twice")
            }
            let ids = stage.ids(0..<60)
            try await check("nothing")
            try await stage.insert(ids)
            _ = try await stage.command(["run", "--once"])
            try await check("the first time")
            #expect(try await stage.database.count("SELECT count(*) FROM models.calls") > 5)
            let calls = try await stage.database.run("SELECT engagement_id FROM models.calls ORDER BY 1").map {
                try $0.text("engagement_id")
            }
            for id in calls.prefix(2) { stage.world.bump(id) }
            stage.world.setGone(calls[2])
            stage.world.setMissing(calls[3])
            try await stage.insert(Array(calls.prefix(2)))
            try await stage.database.run(
                "INSERT INTO enrichment_queue (engagement_id, reason) VALUES ('\(calls[2])', 'deleted'), ('\(calls[3])', NULL)"
            )
            _ = try await stage.command(["run", "--once"])
            try await check("changed, deleted, hidden")
            #expect(
                try await stage.database.count(
                    "SELECT count(*) FROM models.calls WHERE engagement_id IN ('\(calls[2])', '\(calls[3])')") == 0)
            #expect(try await stage.command(["purge", calls[4]]).status == 0)
            try await check("purged")
            #expect(
                try await stage.database.count("SELECT count(*) FROM models.calls WHERE engagement_id = '\(calls[4])'")
                    == 0)
        }
    }
}
