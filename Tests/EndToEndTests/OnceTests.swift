import Simulator
import TestKit
import Testing

/// `run --once`, and the bell as a process hears it.
struct OnceTests {
    @Test func drainsAndEnds() async throws {
        try await Stage.run { stage in
            try await stage.insert(stage.ids(0..<300))
            let worker = try stage.start(["run", "--once"])
            #expect(try await worker.exitStatus() == 0)
            try await stage.drained()
            #expect(try await stage.database.count("SELECT count(*) FROM engagements") == 300)
            #expect(worker.records(of: "job.done").count == 300)
            #expect(worker.errors == "")
            let again = try stage.start(["run", "--once"])
            #expect(try await again.exitStatus() == 0)
            #expect(again.records(of: "job.done").isEmpty)
        }
    }

    @Test func aJobThatDiedIsExitCodeOne() async throws {
        try await Stage.run { stage in
            try await stage.insert(["nonsense", stage.world.id(1)])
            let worker = try stage.start(["run", "--once"])
            #expect(try await worker.exitStatus() == 1)
            #expect(try await stage.database.value("SELECT cause FROM dead_letters") == "invalid_id")
            #expect(try await stage.database.count("SELECT count(*) FROM engagements") == 1)
            #expect(try await stage.database.count(Stage.jobs) == 0)
        }
    }

    /// Nothing is charged: the job waits for a better token.
    @Test func aRefusedCredentialIsExitCode77() async throws {
        try await Stage.run { stage in
            try await stage.insert([stage.world.id(1)])
            stage.world.invalidate(Simulator.demoToken)
            let worker = try stage.start(["run", "--once"])
            #expect(try await worker.exitStatus() == 77)
            #expect(worker.records(of: "credential.invalid").count == 1)
            let waiting = "SELECT count(*) FROM enrichment_queue WHERE leased_by IS NULL AND attempts = 0"
            #expect(try await stage.database.count(waiting) == 1)
        }
    }

    @Test func whatIsNotDueIsNotWaitedFor() async throws {
        try await Stage.run { stage in
            try await stage.database.run(
                """
                INSERT INTO enrichment_queue (engagement_id, available_at)
                VALUES ('\(stage.world.id(1))', now() + interval '1 hour'), ('\(stage.world.id(2))', '-infinity')
                """)
            let worker = try stage.start(["run", "--once"])
            #expect(try await worker.exitStatus() == 0)
            #expect(try await stage.database.value("SELECT engagement_id FROM enrichment_queue") == stage.world.id(1))
            #expect(try await stage.database.value("SELECT id FROM engagements") == stage.world.id(2))
        }
    }

    /// The poll is a minute away and the looks after falling asleep are over, so only the bell can wake it. How fast it
    /// does is measured by `Tests/bell-latency`.
    @Test func anInsertWakesASleepingWorker() async throws {
        try await Stage.run { stage in
            let worker = try await stage.worker(["--poll-interval", "60s"])
            for number in 0..<3 {
                try await stage.database.wait(
                    for: """
                        SELECT count(*) FROM pg_stat_activity AS a, workers AS w
                        WHERE a.datname = current_database() AND a.application_name = 'engagement-worker claim'
                          AND a.state = 'idle' AND clock_timestamp() - a.state_change > interval '1.5 s'
                          AND w.idle_until > now()
                        """,
                    toBe: "1")
                try await stage.insert([stage.world.id(number)])
                try await stage.database.wait(
                    for: "SELECT count(*) FROM engagements", toBe: String(number + 1), within: .seconds(2))
            }
            try await worker.waitFor("job.done", count: 3)
            #expect(worker.records(of: "job.done").count == 3)
        }
    }

    /// Everything that is logged at the most talkative level, in each form, of good answers and bad ones.
    @Test(arguments: ["json", "logfmt", "pretty"])
    func noLogHoldsWhatIsNobodysBusiness(_ format: String) async throws {
        try await Stage.run(settings: .init()) { stage in
            let ids = stage.ids(0..<40)
            let secret = "Ms-Canary-at-people@people.example"
            stage.world.override(ids[20], .json(#"{"id":"\#(ids[20])","title":"\#(secret)"#))
            stage.world.override(ids[21], .json(#"{"id":"\#(ids[22])","title":"\#(secret)"}"#))
            stage.world.override(
                ids[23], .json(#"{"title":"Forbidden","detail":"\#(secret)","status":403}"#, status: 403))
            stage.world.override(ids[24], .json(#"{"detail":"\#(secret)"}"#, status: 500), times: 1)
            stage.world.override(ids[25], .json(#"{"id":"\#(ids[25])","title":"\u0000\#(secret)"}"#))
            try await stage.database.run(
                """
                CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
                    RAISE EXCEPTION 'no, not %', NEW;
                END $$;
                CREATE TRIGGER refuse BEFORE INSERT ON engagements FOR EACH ROW WHEN (NEW.id = '\(ids[26])')
                    EXECUTE FUNCTION refuse();
                """)
            try await stage.insert(ids)
            let worker = try stage.start(["run", "--log-format", format, "--max-attempts", "1"])
            try await stage.database.wait(
                for: "SELECT count(*) FROM enrichment_queue WHERE leased_by IS NOT NULL OR available_at <= now()",
                toBe: "0")
            worker.signal(15)
            #expect(try await worker.exitStatus() == 0)
            #expect(!worker.output.contains("Canary"))
            #expect(worker.output.contains(ids[20]), "the log says nothing of the bad answers")
        }
    }
}
