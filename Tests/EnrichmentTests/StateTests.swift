import Enrichment
import Postgres
import Simulator
import TestKit
import Testing

/// enrichment_state, the answer to "did my insert arrive?".
struct StateTests {
    @Test func everyStateIsTold() async throws {
        try await withTestDatabase { database in
            try await database.run(
                """
                INSERT INTO enrichment_queue (engagement_id, available_at, leased_by, attempts, last_error) VALUES
                    ('ngmt_queued', now(), NULL, 2, 'api'), ('ngmt_waiting', now() + interval '1 h', NULL, 0, NULL),
                    ('ngmt_running', now() + interval '1 min', 7, 0, NULL), ('ngmt_lapsed', now() - interval '1 s', 7, 0, NULL),
                    ('ngmt_never', 'infinity', NULL, 0, NULL), ('ngmt_both', now() + interval '1 h', NULL, 0, NULL);
                INSERT INTO engagements (id, _observed_at) VALUES ('ngmt_done', '2026-01-01Z'), ('ngmt_both', '2026-01-01Z'), ('ngmt_died', '2026-01-01Z');
                INSERT INTO engagements (id, _observed_at, _deleted_at) VALUES ('ngmt_deleted', now(), now());
                INSERT INTO engagements (id, _observed_at, _unreadable_since, _unreadable_cause) VALUES ('ngmt_hidden', now(), now(), 'not_found');
                INSERT INTO engagement_gaps (engagement_id, part, cause) VALUES ('ngmt_done', 'tags', 'malformed'), ('ngmt_done', 'owner', 'malformed');
                INSERT INTO dead_letters (key, engagement_id, cause, attempts) VALUES
                    ('ngmt_dead', 'ngmt_dead', 'rejected', 8), ('ngmt_died', 'ngmt_died', 'api', 8), ('queue:5', 'not an id', 'invalid_id', 0)
                """)
            for (id, state, cause) in [
                ("ngmt_queued", "queued", "api"), ("ngmt_waiting", "waiting", nil), ("ngmt_running", "running", nil),
                ("ngmt_lapsed", "queued", nil), ("ngmt_never", "waiting", nil), ("ngmt_both", "waiting", nil),
                ("ngmt_done", "done", nil), ("ngmt_deleted", "done", "deleted"), ("ngmt_hidden", "done", "not_found"),
                ("ngmt_dead", "dead", "rejected"), ("ngmt_died", "dead", "api"), ("not an id", "dead", "invalid_id"),
                ("ngmt_unknown", "unknown", nil),
            ] {
                let row = try #require(try await database.run("SELECT * FROM enrichment_state('\(id)')").first)
                #expect(try row.text("state") == state && row.textIfPresent("cause") == cause, "\(id)")
            }
            let done = try #require(try await database.run("SELECT * FROM enrichment_state('ngmt_done')").first)
            #expect(try done.text("missing_parts") == "{owner,tags}")
            #expect(try done.text("observed_at") == "2026-01-01 00:00:00+00")
            let queued = try #require(try await database.run("SELECT * FROM enrichment_state('ngmt_queued')").first)
            #expect(try queued.integer("attempts") == 2 && queued.textIfPresent("since") != nil)
            #expect(try await database.count("SELECT count(*) FROM enrichment_state(NULL)") == 1)
        }
    }

    /// Looks at the ids all the while that a worker takes them from the queue to their end.
    @Test func anInsertedIDIsNeverUnknown() async throws {
        let seed = UInt64.random(in: 0 ... .max)
        print("seed \(seed)")
        try await withTestDatabase { database in
            let simulator = Simulator(seed: seed)
            try await simulator.start()
            simulator.world.setLatency(.milliseconds(20))
            let valid = (0..<260).map { simulator.world.id($0) }
            for id in valid[..<20] { simulator.world.setGone(id) }
            let invalid =
                (0..<20).map { "invalid \($0)" }
                + (0..<20).map { "ngmt_" + String(repeating: "x", count: 60 + $0 * 10) + "-" }
            let rows = (valid + invalid).enumerated().map { number, id in
                "('\(id)', \(number < 10 ? "'deleted'" : "NULL"))"
            }
            try await database.run(
                "INSERT INTO enrichment_queue (engagement_id, reason) VALUES " + rows.joined(separator: ","))
            let ids = "ARRAY['" + (valid + invalid).joined(separator: "','") + "']"
            let look = "SELECT DISTINCT s.state FROM unnest(\(ids)) AS i(id), enrichment_state(i.id) AS s"
            let worker = try await TestWorker(database, simulator) { $0.concurrency = 8 }
            var seen: Set<String> = []
            let end = ContinuousClock.now + .seconds(60)
            while try await database.count("SELECT count(*) FROM enrichment_queue WHERE looks = 0") > 0 {
                for row in try await database.run(look) { seen.insert(try row.text("state")) }
                try #require(ContinuousClock.now < end)
            }
            for row in try await database.run(look) { seen.insert(try row.text("state")) }
            #expect(
                seen.isSuperset(of: ["running", "waiting", "done", "dead"]) && !seen.contains("unknown"), "\(seen)")
            try await worker.stop()
            await simulator.stop()
        }
    }
}
