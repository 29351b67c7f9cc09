import Glibc
import Postgres
import Simulator
import TestKit
import Testing

/// A worker that stands still in the middle of its work while the world goes on.
struct FrozenWorkerTests {
    /// Asked for before the change and delivered after it.
    @Test func anOlderSnapshotThatArrivesLastIsSuperseded() async throws {
        try await Self.lateSnapshot { stage, id in
            stage.world.bump(id)
            try await stage.insert([id])
        } shows: { stage, id in
            ("title", stage.world.truth(id).title)
        }
    }

    @Test func anOlderSnapshotDoesNotBringBackWhatWasDeleted() async throws {
        try await Self.lateSnapshot { stage, id in
            stage.world.setGone(id)
            try await stage.database.run(
                "INSERT INTO enrichment_queue (engagement_id, reason) VALUES ('\(id)', 'deleted')")
        } shows: { _, _ in
            ("(_deleted_at IS NOT NULL)::text", "true")
        }
    }

    /// Backends of workers that work, or did just now: what is on its way to them may be read in a moment.
    private static let busyBackends = """
        SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name LIKE 'engagement-worker%'
        AND (state <> 'idle' OR clock_timestamp() - state_change < interval '200 ms')
        """

    /// One worker freezes between its request and the answer; another sees what changed meanwhile and ends first.
    private static func lateSnapshot(
        change: (Stage, String) async throws -> Void, shows: (Stage, String) -> (column: String, value: String)
    ) async throws {
        try await Stage.run { stage in
            try await stage.database.run(Audit.install)
            let late = try await stage.worker()
            let id = stage.world.id(1)
            try await stage.insert([id])
            try await stage.drained()
            stage.world.hold(id)
            try await stage.insert([id])
            try await stage.world.waitForRequest(id, count: 2)
            try await late.freeze()
            // It looks at the queue every few milliseconds: what it sent takes nothing any more.
            try await stage.database.wait(for: Self.busyBackends, toBe: "0")
            stage.world.releaseHold(id)
            try await change(stage, id)
            let other = try await stage.worker()
            try await other.waitFor("job.done")
            let (column, value) = shows(stage, id)
            let shown = "SELECT \(column) FROM engagements WHERE id = '\(id)'"
            #expect(try await stage.database.value(shown) == value)
            late.thaw()
            try await late.waitFor("job.done", count: 2)
            #expect(late.records(of: "job.done").last?["outcome"] as? String == "superseded")
            #expect(try await stage.database.value(shown) == value)
            #expect(try await stage.database.value(Audit.faults) == "")
            #expect(try await stage.database.count(Stage.jobs) == 0)
        }
    }

    /// Its write is committed, and it dies before it hears so.
    @Test func killedBetweenCommitAndAnswerNothingIsDoneTwice() async throws {
        try await Stage.run { stage in
            try await stage.database.run(Audit.install)
            let victim = try await stage.worker()
            try await stage.insert([stage.world.id(100)])
            try await stage.drained()
            let ids = stage.ids(0..<5)
            let blocker = try await stage.database.connect()
            try await blocker.run(script: "BEGIN; LOCK TABLE engagements IN SHARE MODE", name: "lock")
            try await stage.insert(ids)
            let waiting = """
                SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()
                """
            try await eventually("a write waits") { try await stage.database.count(waiting) > 0 }
            try await stage.world.waitForRequests(total: 6)
            try await victim.freeze()
            try await blocker.run(script: "ROLLBACK", name: "unlock")
            try await stage.database.wait(for: Self.busyBackends, toBe: "0")
            let committed = try await stage.database.count("SELECT count(*) FROM engagements") - 1
            #expect(committed > 0, "nothing was committed while it could not hear of it")
            #expect(victim.records(of: "job.done").count == 1, "it was told")
            try await victim.kill9()
            _ = try await stage.worker()
            try await stage.drained()
            #expect(try await stage.database.count("SELECT count(*) FROM engagements") == 6)
            let twice =
                "SELECT count(*) FROM (SELECT engagement_id FROM audit_writes GROUP BY 1 HAVING count(*) > 1) AS w"
            #expect(try await stage.database.count(twice) == 0)
            #expect(try await stage.database.value(Audit.faults) == "")
            let again = stage.world.totalRequests - 6
            #expect(again == 5 - committed, "only what was not written is asked for again")
            await blocker.close()
        }
    }

    /// Nobody took its jobs, so it goes on with all of them; what it asks for is refused, so that they end without a document.
    @Test func aWorkerAloneGoesOnWhereItStood() async throws {
        try await Stage.run { stage in
            let worker = try await stage.worker(["--lease", "5s", "--concurrency", "5"])
            try await stage.insert([stage.world.id(100)])
            try await stage.drained()
            let ids = stage.ids(0..<12)
            for id in ids {
                stage.world.setFault(.forbidden, of: id)
                stage.world.hold(id)
            }
            try await stage.insert(ids)
            try await stage.waitForLeases(12, of: worker)
            try await stage.world.waitForRequests(total: 6)
            try await worker.freeze()
            let over = "SELECT (max(available_at) < now())::text FROM enrichment_queue WHERE leased_by IS NOT NULL"
            try await stage.database.wait(for: over, toBe: "true")
            worker.thaw()
            for id in ids { stage.world.releaseHold(id) }
            try await stage.database.wait(for: "SELECT count(*) FROM dead_letters", toBe: "12")
            try await stage.database.wait(for: Stage.jobs, toBe: "0")
            worker.signal(SIGTERM)
            #expect(try await worker.exitStatus() == 0)
            let ended = worker.records(of: "job.done").dropFirst().compactMap { $0["outcome"] as? String }
            #expect(ended.count { $0 == "dead" } == 12)
        }
    }
}
