import Postgres
import Simulator
import TestKit
import Testing

/// Writes whose answer is lost: they are looked up, not guessed.
@Suite(.serialized) struct LostAnswerTests {
    private static func lab(
        _ flags: [String] = [], _ test: (Stage, FaultProxy, WorkerProcess) async throws -> Void
    ) async throws {
        try await Stage.run { stage in
            try await stage.database.run(Audit.install)
            let proxy = try FaultProxy(to: TestCluster.port)
            defer { proxy.stop() }
            let worker = try await stage.worker(flags, ["DATABASE_URL": stage.database.conninfo(through: proxy)])
            try await test(stage, proxy, worker)
        }
    }

    /// It was committed: the job's line says what was written, and nothing is written twice.
    @Test func aCommittedWriteIsFoundAndNotRepeated() async throws {
        try await Self.lab { stage, proxy, worker in
            let rounds = size("TEST_ROUNDS", or: 10)
            for round in 0..<rounds {
                proxy.swallowReplies(to: .postgres("engagement_ingest"))
                try await stage.insert(stage.ids(round * 5..<round * 5 + 5))
                try await stage.drained()
                try await eventually("a lost answer") { proxy.injected(.swallowReply) == round + 1 }
            }
            try await worker.waitFor("job.done", count: rounds * 5)
            let outcomes = worker.records(of: "job.done").compactMap { $0["outcome"] as? String }
            try #require(outcomes.count == rounds * 5)
            try #require(Set(outcomes).isSubset(of: ["enriched", "partial"]))
            try #require(try await stage.database.value(Audit.faults) == "")
            try #require(try await stage.database.count("SELECT count(*) FROM audit_gone") == rounds * 5)
            let twice = "SELECT count(*) - count(DISTINCT engagement_id) FROM audit_writes"
            try #require(try await stage.database.count(twice) == 0)
            printFigure("answers: \(rounds) commits whose answer was lost: 0 jobs lost, 0 doubled, 0 charged")
        }
    }

    /// The same for jobs that bring no document.
    @Test func aCommittedSettlementIsFound() async throws {
        try await Self.lab { stage, proxy, worker in
            let ids = stage.ids(0..<5)
            for id in ids { stage.world.setFault(.forbidden, of: id) }
            proxy.swallowReplies(to: .postgres("job_settle"))
            try await stage.insert(ids)
            try await stage.database.wait(for: "SELECT count(*) FROM dead_letters", toBe: "5")
            try await worker.waitFor("job.done", count: 5)
            #expect(proxy.injected(.swallowReply) == 1)
            let outcomes = worker.records(of: "job.done").compactMap { $0["outcome"] as? String }
            #expect(outcomes == [String](repeating: "dead", count: 5))
            #expect(
                try await stage.database.value("SELECT string_agg(DISTINCT times::text, '') FROM dead_letters") == "1")
        }
    }

    /// It never reached the server, or was rolled back: it is done again.
    @Test func aWriteThatWasNotCommittedIsRepeated() async throws {
        try await Self.lab { stage, proxy, worker in
            // The write waits behind this lock; its session ends before it can commit.
            let blocker = try await stage.database.connect()
            try await blocker.run(script: "BEGIN; LOCK TABLE engagements", name: "lock")
            try await stage.insert(stage.ids(0..<3))
            let waiting = """
                SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()
                """
            try await eventually("a write waits") { try await stage.database.count(waiting) > 0 }
            try await stage.database.run(
                """
                SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                WHERE wait_event_type = 'Lock' AND datname = current_database()
                """)
            try await blocker.run(script: "ROLLBACK", name: "unlock")
            try await stage.drained()
            try await worker.waitFor("job.done", count: 3)
            #expect(worker.records(of: "job.done").allSatisfy { $0["outcome"] as? String == "enriched" })
            #expect(!worker.records(of: "db.lost").isEmpty)
            await blocker.close()
        }
    }

    /// The connection is gone but its backend still runs: the look waits for its end.
    @Test func aWriteThatStillRunsIsWaitedFor() async throws {
        try await Self.lab(["--writers", "1"]) { stage, proxy, worker in
            let blocker = try await stage.database.connect()
            try await blocker.run(script: "BEGIN; LOCK TABLE engagements", name: "lock")
            try await stage.insert(stage.ids(0..<3))
            let waiting = """
                SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()
                """
            try await eventually("a write waits") { try await stage.database.count(waiting) == 1 }
            proxy.reset()
            try await eventually("the look waits for it") { try await stage.database.count(waiting) == 2 }
            try await blocker.run(script: "ROLLBACK", name: "unlock")
            try await stage.drained()
            try await worker.waitFor("job.done", count: 3)
            #expect(worker.records(of: "job.done").allSatisfy { $0["outcome"] as? String == "enriched" })
            #expect(try await stage.database.value(Audit.faults) == "")
            #expect(try await stage.database.count("SELECT count(*) FROM audit_gone") == 3)
            await blocker.close()
        }
    }
}
