import Glibc
import Postgres
import Simulator
import TestKit
import Testing

/// For how long things are kept.
@Suite(.serialized) struct RetentionTests {
    /// Whoever has taken a table away is told so once; the work goes on.
    @Test func upkeepThatFailsHoldsNothingUp() async throws {
        try await Stage.run { stage in
            try await stage.database.run("ALTER TABLE upkeep RENAME TO taken_away")
            let worker = try await stage.worker(["--retain-transcripts", "400d"])
            try await worker.waitFor("upkeep.failed")
            #expect(worker.records(of: "upkeep.failed").first?["sqlstate"] as? String == "42P01")
            try await stage.insert(stage.ids(0..<20))
            try await stage.drained()
            #expect(worker.records(of: "db.lost").isEmpty)
        }
    }

    @Test func oldTranscriptsGoAndAreNotStoredAgain() async throws {
        try await Stage.run { stage in
            let ids = stage.ids(0..<40)
            try await stage.insert(ids)
            let first = try await stage.worker()
            try await stage.drained()
            first.signal(SIGTERM)
            #expect(try await first.exitStatus() == 0)
            let days = """
                SELECT (extract(epoch FROM now() - percentile_disc(0.5) WITHIN GROUP (ORDER BY coalesce(start_at, engagement_at, created_at)))
                        / 86400)::integer FROM engagements AS e JOIN engagement_transcripts AS t ON t.engagement_id = e.id
                """
            let age = try await stage.database.count(days)
            let transcripts = "SELECT count(*) FROM engagement_transcripts"
            let all = try await stage.database.count(transcripts)
            let old = """
                SELECT count(*) FROM engagement_transcripts AS t JOIN engagements AS e ON t.engagement_id = e.id
                WHERE coalesce(start_at, engagement_at, created_at) < now() - interval '\(age) days'
                """
            let expected = all - (try await stage.database.count(old))
            #expect(expected > 0 && expected < all)
            let worker = try await stage.worker(["--retain-transcripts", "\(age)d"])
            try await stage.database.wait(for: transcripts, toBe: "\(expected)")
            #expect(
                try await stage.database.count("SELECT count(*) FROM engagements_live WHERE is_transcript_dropped")
                    == all - expected)
            let changed = try await stage.database.value("SELECT max(_changed_at) FROM engagements")
            // Fetched again as they are: nothing changes. Changed: the old ones still have none.
            try await stage.insert(ids)
            try await stage.drained()
            #expect(try await stage.database.value("SELECT max(_changed_at) FROM engagements") == changed)
            for id in ids { for _ in 0..<6 { stage.world.bump(id) } }
            try await stage.insert(ids)
            try await stage.drained()
            #expect(try await stage.database.count(old) == 0)
            #expect(worker.records(of: "job.done").count { $0["outcome"] as? String == "partial" } == 0)
            worker.signal(SIGTERM)
            #expect(try await worker.exitStatus() == 0)

            // Kept again: they come back when they are fetched.
            _ = try await stage.worker()
            let lifted = "SELECT count(*) FROM control WHERE transcripts_kept IS NULL"
            try await stage.database.wait(for: lifted, toBe: "1")
            try await stage.database.wait(
                for: "SELECT (finished_at IS NOT NULL AND _after = '')::text FROM upkeep", toBe: "true")
            try await stage.insert(ids)
            try await stage.drained()
            #expect(try await stage.database.count(old) > 0)
            #expect(
                try await stage.database.count("SELECT count(*) FROM engagements_live WHERE is_transcript_dropped") == 0
            )
        }
    }
}
