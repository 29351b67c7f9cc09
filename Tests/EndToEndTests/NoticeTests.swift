import Glibc
import TestKit
import Testing

/// What Postgres says beside its answers, for the sake of somebody's trigger.
struct NoticeTests {
    @Test func aWarningOfATriggerIsOneRecordWithoutItsText() async throws {
        try await Stage.run { stage in
            try await stage.database.run(
                """
                CREATE FUNCTION grumble() RETURNS trigger LANGUAGE plpgsql AS $$
                BEGIN
                    RAISE WARNING 'CANARY-NOTICE %', NEW.id;
                    RAISE NOTICE 'CANARY-NOTICE %', NEW.title;
                    RETURN NEW;
                END $$;
                CREATE TRIGGER grumble BEFORE INSERT OR UPDATE ON engagements FOR EACH ROW EXECUTE FUNCTION grumble()
                """)
            let worker = try await stage.worker(["--writers", "3"])
            try await stage.insert(stage.ids(0..<200))
            try await stage.drained()
            try await worker.waitFor("job.done", count: 200)
            // Written before the batch was done.
            let notices = worker.records(of: "db.notice")
            let warnings = notices.filter { $0["severity"] as? String == "WARNING" }
            #expect(warnings.count == 1 && notices.count == 2, "\(notices)")
            #expect(
                warnings.first?["level"] as? String == "warning" && warnings.first?["sqlstate"] as? String == "01000")
            #expect((warnings.first?["statement"] as? String)?.isEmpty == false)
            #expect((warnings.first?["role"] as? String)?.hasPrefix("write-") == true)
            let other = notices.first { $0["severity"] as? String == "NOTICE" }
            #expect(other?["level"] as? String == "debug" && other?["sqlstate"] as? String == "00000")
            worker.signal(SIGTERM)
            #expect(try await worker.exitStatus() == 0)
            #expect(!worker.lines().joined().contains("CANARY-NOTICE"))
        }
    }
}
