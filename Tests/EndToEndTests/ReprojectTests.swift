import Foundation
import Postgres
import Simulator
import TestKit
import Testing

/// `reproject`: the columns again, from what is stored.
@Suite(.serialized) struct ReprojectTests {
    /// Everything but when somebody wrote it.
    private static let content = """
        SELECT md5(concat(
            (SELECT string_agg((to_jsonb(e) - '_changed_at')::text, '|' ORDER BY e.id) FROM engagements AS e),
            (SELECT string_agg((to_jsonb(c) - '_changed_at')::text, '|' ORDER BY c.id) FROM companies AS c),
            (SELECT string_agg((to_jsonb(c) - '_changed_at')::text, '|' ORDER BY c.id) FROM contacts AS c),
            (SELECT string_agg((to_jsonb(u) - '_changed_at')::text, '|' ORDER BY u.id) FROM users AS u),
            (SELECT string_agg((to_jsonb(t) - '_changed_at')::text, '|' ORDER BY t.id) FROM tags AS t),
            (SELECT string_agg(to_jsonb(i)::text, '|' ORDER BY i.engagement_id, i.id) FROM engagement_action_items AS i),
            (SELECT string_agg(to_jsonb(s)::text, '|' ORDER BY s.engagement_id, s.id) FROM engagement_signals AS s),
            (SELECT string_agg(to_jsonb(a)::text, '|' ORDER BY a.id) FROM crm_associations AS a WHERE a.removed_at IS NULL)))
        """
    private static let times = """
        SELECT md5(concat(
            (SELECT string_agg(e._changed_at::text, '|' ORDER BY e.id) FROM engagements AS e),
            (SELECT string_agg(c._changed_at::text, '|' ORDER BY c.id) FROM contacts AS c)))
        """

    private struct Line: Decodable, Equatable {
        var table: String
        var lookedAt: Int
        var changed: Int

        private enum CodingKeys: String, CodingKey {
            case table, changed
            case lookedAt = "looked_at"
        }
    }

    private func reproject(_ stage: Stage, _ flags: [String] = []) async throws -> [String: Line] {
        let ended = try await stage.command(["reproject", "--output", "json"] + flags)
        #expect(ended.status == 0 && ended.errors == "", "\(ended.errors)")
        let lines = try JSONDecoder().decode([Line].self, from: Data(ended.output.utf8))
        return Dictionary(uniqueKeysWithValues: lines.map { ($0.table, $0) })
    }

    private func enrich(_ stage: Stage, _ count: Int = 700) async throws {
        try await stage.insert(stage.ids(0..<count))
        #expect(try await stage.command(["run", "--once"]).status == 0)
        #expect(try await stage.database.count("SELECT count(*) FROM engagements") == count)
    }

    /// What ingest has written is what reproject would write, whatever the values are like: they share the mapping.
    @Test func whatWasJustWrittenIsAsItWouldBe() async throws {
        try await Stage.run(settings: SimulatorSettings()) { stage in
            for (name, value) in [
                ("enum_values", "varied"), ("timestamps", "varied"), ("nested", "varied"), ("without_value", "varied"),
            ] {
                try stage.world.setSwitch(name, to: value)
            }
            for (number, document) in [
                #""title":5,"duration_seconds":1.5,"start_at":"tomorrow","crm_association":{"id":7}"#,
                #""title":{"a":1},"owner":{"id":"usr_1","emails":[{"email":"a@x.example","is_primary":true}],"created_at":"infinity"}"#,
                #""contacts":[{"id":"cnt_1","emails":"none"},{"id":"cnt_1","first_name":null}],"action_items":[{"due_at":"2026-02-30T00:00:00Z"},{"text":7}]"#,
                #""signals":[{"value":3},{"type":[]}],"tags":[{"id":"tag_1","auto_tagging_enabled":"yes","name":7}],"companies":[{"domains":"x"}]"#,
            ].enumerated() {
                let id = stage.world.id(5_000 + number)
                stage.world.override(id, .json("{\"id\":\"\(id)\",\"object\":\"engagement\",\(document)}"))
                try await stage.insert([id])
            }
            try await stage.insert(stage.ids(0..<300))
            _ = try await stage.command(["run", "--once"])
            #expect(try await stage.database.count("SELECT count(*) FROM engagements") == 304)
            for flags in [["--dry-run"], []] {
                let lines = try await reproject(stage, flags)
                #expect(lines.count == 7)
                #expect(lines.values.allSatisfy { $0.changed == 0 }, "\(lines)")
                #expect(lines.values.allSatisfy { $0.lookedAt > 0 }, "\(lines)")
            }
        }
    }

    /// As after an upgrade that maps otherwise: what differs is written anew and nothing else, without a request.
    @Test func whatDiffersIsWrittenAgain() async throws {
        try await Stage.run(settings: SimulatorSettings()) { stage in
            try await enrich(stage)
            let (content, times) = (
                try await stage.database.value(Self.content), try await stage.database.value(Self.times)
            )
            let requests = stage.world.totalRequests
            let queue = try await stage.database.value(
                "SELECT md5(string_agg(q::text, '|' ORDER BY q.id)) FROM enrichment_queue AS q")
            // The engagement of every fifth row, the seventh contact and so on were mapped otherwise.
            try await stage.database.run(
                """
                UPDATE engagements SET title = 'old', start_at = NULL, crm_association = NULL WHERE hashtext(id) % 5 = 0;
                UPDATE contacts SET first_name = NULL, company_id = 'x' WHERE hashtext(id) % 7 = 0;
                UPDATE companies SET domains = NULL, name = 'x' WHERE hashtext(id) % 7 = 0;
                UPDATE users SET job_title = 'x' WHERE hashtext(id) % 3 = 0;
                UPDATE tags SET name = 'x' WHERE hashtext(id) % 3 = 0;
                UPDATE engagement_action_items SET text = 'x' WHERE hashtext(engagement_id) % 11 = 0;
                UPDATE engagement_signals SET value = 'x' WHERE hashtext(engagement_id) % 11 = 0;
                DELETE FROM crm_associations WHERE subject_type = 'engagement' AND hashtext(subject_id) % 5 = 0
                """)
            let broken = try await stage.database.value(Self.content)
            #expect(broken != content)
            let counted = try await reproject(stage, ["--dry-run"])
            #expect(try await stage.database.value(Self.content) == broken, "a dry run writes nothing")
            let unchanged = try await stage.database.run(
                "SELECT id, _changed_at::text AS at FROM engagements WHERE hashtext(id) % 5 <> 0 AND hashtext(id) % 11 <> 0 ORDER BY id"
            )
            let changed = try await reproject(stage)
            #expect(counted == changed)
            #expect(changed.values.allSatisfy { $0.changed > 0 }, "\(changed)")
            #expect(changed["engagements"]?.lookedAt == 700)
            let left = try await reproject(stage, ["--dry-run"])
            #expect(left.values.allSatisfy { $0.changed == 0 }, "\(left)")
            for id in stage.ids(0..<700) {
                let title = stage.world.truth(id).title
                #expect(try await stage.database.value("SELECT title FROM engagements WHERE id = '\(id)'") == title)
            }
            #expect(try await stage.database.value(Self.times) != times)
            let same = try await stage.database.run(
                "SELECT id, _changed_at::text AS at FROM engagements WHERE hashtext(id) % 5 <> 0 AND hashtext(id) % 11 <> 0 ORDER BY id"
            )
            #expect(try same.map { try $0.text("at") } == unchanged.map { try $0.text("at") })
            #expect(stage.world.totalRequests == requests)
            #expect(
                try await stage.database.value(
                    "SELECT md5(string_agg(q::text, '|' ORDER BY q.id)) FROM enrichment_queue AS q") == queue)
            #expect(
                try await stage.database.count(
                    """
                    SELECT count(*) FROM engagements AS e
                    WHERE (e.crm_association IS NOT NULL AND coalesce(e.crm_association ->> 'crm_object_id', e.crm_association ->> 'id') IS NOT NULL)
                      <> EXISTS (SELECT FROM crm_associations AS a WHERE a.subject_id = e.id AND a.removed_at IS NULL)
                    """) == 0)
        }
    }

    /// They are in the statements of writers, so each has to become a part of these: called, it would cost more than the rest.
    @Test func theMappingsAreInlined() async throws {
        try await Stage.run { stage in
            for (table, mapping) in [
                ("engagements", "engagement_columns"), ("companies", "company_columns"),
                ("contacts", "contact_columns"),
                ("users", "user_columns"), ("tags", "tag_columns"), ("engagement_action_items", "action_item_columns"),
                ("engagement_signals", "signal_columns"),
            ] {
                let plan = try await stage.database.run(
                    "EXPLAIN SELECT c.* FROM \(table) AS s CROSS JOIN LATERAL \(mapping)(s._raw, true) AS c")
                let lines = try plan.map { try $0.text("QUERY PLAN") }
                #expect(lines.count == 1 && lines[0].hasPrefix("Seq Scan on \(table)"), "\(lines)")
            }
        }
    }

    /// A later version adds a column to a table and its mapping: the command fills it from what was delivered long ago.
    @Test func aColumnThatIsNewIsFilled() async throws {
        try await Stage.run { stage in
            try await enrich(stage, 50)
            try await stage.database.run(
                """
                ALTER TABLE users ADD COLUMN initials text;
                DROP FUNCTION user_columns(jsonb, boolean);
                CREATE FUNCTION user_columns(d jsonb, times_fit boolean) RETURNS TABLE (first_name text, initials text) LANGUAGE sql STABLE AS
                    $$ SELECT json_text(d -> 'first_name'), left(json_text(d -> 'first_name'), 1) || left(json_text(d -> 'last_name'), 1) $$
                """)
            let changed = try await reproject(stage)
            #expect(changed["users"]!.changed > 0 && changed.values.filter { $0.changed > 0 }.count == 1)
            #expect(
                try await stage.database.count(
                    "SELECT count(*) FROM users WHERE initials IS DISTINCT FROM left(first_name, 1) || left(last_name, 1)"
                ) == 0)
        }
    }

    /// Beside running workers: nobody is charged, nothing deadlocks, and in the end all is as the source has it.
    @Test func workersGoOnMeanwhile() async throws {
        try await Stage.run { stage in
            let worker = try await stage.worker()
            let ids = stage.ids(0..<300)
            try await stage.insert(ids)
            try await stage.drained()
            for round in 0..<5 {
                for id in ids { stage.world.bump(id) }
                // With the lock that all writers take: the worker still writes those of the round before.
                try await stage.database.run(
                    """
                    SELECT lock_engagements(ARRAY(SELECT id FROM engagements));
                    UPDATE engagements SET title = 'old \(round)';
                    UPDATE contacts SET first_name = 'old';
                    UPDATE engagement_action_items SET text = 'old'
                    """)
                try await stage.insert(ids)
                _ = try await reproject(stage)
            }
            try await stage.drained()
            _ = try await reproject(stage)
            #expect(try await reproject(stage, ["--dry-run"]).values.allSatisfy { $0.changed == 0 })
            for id in ids.prefix(50) {
                #expect(
                    try await stage.database.value("SELECT title FROM engagements WHERE id = '\(id)'")
                        == stage.world.truth(id).title)
            }
            #expect(
                worker.records(of: "job.done").allSatisfy {
                    ["enriched", "unchanged"].contains($0["outcome"] as? String)
                })
            worker.signal(SIGTERM)
            #expect(try await worker.exitStatus() == 0)
        }
    }
}
