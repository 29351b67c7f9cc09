import Postgres
import Simulator
import TestKit
import Testing

@testable import Enrichment

/// What people may write into the queue and onto the tables.
@Suite(.serialized) struct HostileQueueTests {
    @Test func whatIsNoIDIsADeadLetterAndIsNeverSent() async throws {
        let hostile = [
            "ngmt_../../v2/users?x=", "ngmt_", "ngmt_a-b", "NGMT_abc", " ngmt_abc", "ngmt_abc ", "ngmt_abc\n", "",
            "ngmt_" + String(repeating: "a", count: 65), "ngmt_é", "x", "ngmt_a/b", "jane.doe@example.com",
            "'; DROP TABLE engagements; --",
        ]
        try await TruthLab.run { lab in
            let neighbours = (0..<99).map { lab.world.id($0) }
            let values = hostile.map { "(convert_from('\\x\(hex($0))', 'UTF8'))" } + neighbours.map { "('\($0)')" }
            try await lab.database.run(
                """
                INSERT INTO enrichment_queue (engagement_id) VALUES \(values.joined(separator: ","));
                INSERT INTO enrichment_queue (engagement_id) VALUES (repeat('x', 1000000)), ('ngmt_' || repeat('y', 1000000));
                INSERT INTO enrichment_queue (engagement_id)
                SELECT string_agg(md5(i::text), '') FROM generate_series(1, 100) AS i;
                """
            )
            try await lab.settled()
            #expect(lab.world.totalRequests == 99)
            #expect(try await lab.database.count("SELECT count(*) FROM engagements") == 99)
            let letters = "SELECT concat(count(*), ' ', string_agg(DISTINCT cause, ',')) FROM dead_letters"
            #expect(try await lab.database.value(letters) == "\(hostile.count + 3) invalid_id")
            let kept = "SELECT max(length(engagement_id)) FROM dead_letters WHERE key LIKE 'queue:%'"
            #expect(try await lab.database.count(kept) == 1_000_005)
            let logged = lab.worker.log.records(of: .jobDone).map { "\($0.fields)" }
            #expect(logged.count == hostile.count + 3 + 99)
            #expect(!logged.contains { $0.contains("jane.doe") }, "anything may stand where an id was due")
            for id in ["", "x", "ngmt_abc ", "ngmt_../../v2/users?x="] {
                #expect(try await lab.database.value("SELECT state FROM enrichment_state('\(id)')") == "dead", "\(id)")
            }
        }
    }

    @Test func nullsTakeTheDefaults() async throws {
        try await TruthLab.run { lab in
            let id = lab.world.id(1)
            let ours = "claims, attempts, losses, looks, due_at, leased_by, last_error"
            let nulls = Array(repeating: "NULL", count: 11).joined(separator: ",")
            try await lab.database.run(
                """
                INSERT INTO enrichment_queue (engagement_id, reason, priority, available_at, enqueued_at, \(ours))
                VALUES ('\(id)', \(nulls)), (NULL, \(nulls))
                """
            )
            try await lab.settled()
            #expect(try await lab.database.value("SELECT string_agg(id, ',') FROM engagements") == id)
            let letter =
                "SELECT string_agg(concat(cause, ' ', key LIKE 'queue:%', ' ', engagement_id IS NULL), ',') FROM dead_letters"
            #expect(try await lab.database.value(letter) == "invalid_id t t")
        }
    }

    /// A retry counts from NULL, too: the failure of such a row must not be free for ever.
    @Test func nullsAreCountedFromNothing() async throws {
        try await TruthLab.run(change: TruthLab.quickRetries) { lab in
            lab.world.override("ngmt_Bad", .json("{\"id\":\"ngmt_Other\"}"))
            try await lab.database.run(
                "INSERT INTO enrichment_queue (engagement_id, claims, attempts, losses, looks) VALUES ('ngmt_Bad', NULL, NULL, NULL, NULL)"
            )
            try await lab.settled()
            #expect(
                try await lab.database.value("SELECT concat(cause, ' ', claims, ' ', attempts) FROM dead_letters")
                    == "contract 2 2")
        }
    }

    @Test func infiniteTimesAreDueAtOnceOrNever() async throws {
        try await TruthLab.run { lab in
            let (now, never, neighbour) = (lab.world.id(1), lab.world.id(2), lab.world.id(3))
            try await lab.database.run(
                """
                INSERT INTO enrichment_queue (engagement_id, available_at)
                VALUES ('\(now)', '-infinity'), ('\(never)', 'infinity'), ('\(neighbour)', DEFAULT)
                """
            )
            try await lab.database.wait(for: "SELECT string_agg(engagement_id, ',') FROM enrichment_queue", toBe: never)
            #expect(try await lab.database.count("SELECT count(*) FROM engagements") == 2)
            let untouched = "SELECT concat(claims, leased_by) FROM enrichment_queue"
            #expect(try await lab.database.value(untouched) == "0")
            try await lab.worker.stop()
            #expect(lab.worker.log.records(of: .jobDone).count == 2)
            for record in lab.worker.log.records(of: .jobDone) {
                guard case .integer(let wait) = record.fields[.waitMilliseconds] else {
                    Issue.record("no wait")
                    continue
                }
                #expect((0...60_000).contains(wait))
            }
            #expect(lab.worker.log.records(of: .dbLost).isEmpty)
        }
    }

    /// Somebody's trigger or constraint on our tables refuses one engagement.
    @Test(arguments: [
        """
        CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN IF NEW.id = 'ngmt_Refused' THEN RAISE EXCEPTION 'no'; END IF; RETURN NEW; END $$;
        CREATE TRIGGER refuse BEFORE INSERT OR UPDATE ON engagements FOR EACH ROW EXECUTE FUNCTION refuse()
        """,
        // As a trigger that cannot reach another server of its own.
        """
        CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN IF NEW.id = 'ngmt_Refused' THEN RAISE EXCEPTION 'no' USING ERRCODE = '08001'; END IF; RETURN NEW; END $$;
        CREATE TRIGGER refuse BEFORE INSERT OR UPDATE ON engagements FOR EACH ROW EXECUTE FUNCTION refuse()
        """,
        "ALTER TABLE engagements ADD CONSTRAINT refuse CHECK (id <> 'ngmt_Refused')",
        "ALTER TABLE engagement_contacts ADD CONSTRAINT refuse CHECK (engagement_id <> 'ngmt_Refused')",
        """
        CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN IF OLD.engagement_id = 'ngmt_Refused' AND OLD.leased_by IS NOT NULL AND OLD.attempts < 2 THEN RAISE EXCEPTION 'no'; END IF;
        RETURN OLD; END $$;
        CREATE TRIGGER refuse BEFORE DELETE ON enrichment_queue FOR EACH ROW EXECUTE FUNCTION refuse()
        """,
    ])
    func whatSomebodysTriggerRefusesIsADeadLetterAlone(_ refusal: String) async throws {
        try await TruthLab.run(change: TruthLab.quickRetries) { lab in
            try await lab.database.run(refusal)
            let neighbours = (0..<99).map { lab.world.id($0) }
            // The message of somebody's constraint quotes the row, which is theirs to know: no canary in it.
            lab.answer(TruthDocument("ngmt_Refused"))
            try await lab.enrich(["ngmt_Refused"] + neighbours)
            #expect(try await lab.database.count("SELECT count(*) FROM engagements WHERE id <> 'ngmt_Refused'") == 99)
            let letter = "SELECT concat(cause, ' ', attempts) FROM dead_letters"
            if refusal.contains("BEFORE DELETE") {
                // The trigger relents in time.
                #expect(try await lab.database.value(letter) == nil)
                #expect(try await lab.database.count("SELECT count(*) FROM engagements") == 100)
            } else {
                #expect(try await lab.database.value(letter) == "database 3")
            }
            #expect(lab.worker.log.records(of: .dbLost).isEmpty)
        }
    }

    /// Somebody's trigger takes longer for one engagement than a statement may, while others are written.
    @Test func whatTakesTooLongAloneIsADeadLetter() async throws {
        func impatient(_ configuration: inout Worker.Configuration) {
            TruthLab.quickRetries(&configuration)
            configuration.database.statementTimeout = .seconds(2)
        }
        try await TruthLab.run(change: impatient) { lab in
            let slow = lab.world.id(0)
            try await lab.database.run(
                """
                CREATE FUNCTION dawdle() RETURNS trigger LANGUAGE plpgsql AS $$
                BEGIN IF NEW.id = '\(slow)' THEN PERFORM pg_sleep(60); END IF; RETURN NEW; END $$;
                CREATE TRIGGER dawdle BEFORE INSERT ON engagements FOR EACH ROW EXECUTE FUNCTION dawdle()
                """)
            try await lab.enqueue([slow])
            let letters = "SELECT count(*) FROM dead_letters"
            var next = 1
            try await eventually(within: .seconds(60), "it is given up") {
                try await lab.enqueue([lab.world.id(next)])
                next += 1
                return try await lab.database.count(letters) == 1
            }
            try await lab.settled()
            #expect(
                try await lab.database.value("SELECT concat(key, ' ', cause) FROM dead_letters") == slow + " database")
            #expect(try await lab.database.count("SELECT count(*) FROM engagements") == next - 1)
            #expect(lab.worker.log.records(of: .dbLost).isEmpty)
        }
    }

    /// One of 64 documents in a batch is refused: it is found by halving, not by writing each alone.
    @Test func whatIsRefusedIsFoundByHalving() async throws {
        func oneWriter(_ configuration: inout Worker.Configuration) {
            configuration.database.writers = 1
            configuration.maxAttempts = 1
            configuration.concurrency = 65
        }
        try await TruthLab.run(change: oneWriter) { lab in
            let ids = (0..<64).map { lab.world.id($0) }
            let first = lab.world.id(100)
            try await lab.enrich([first])
            try await lab.database.run(
                """
                CREATE TABLE transactions (tx xid8, n bigint);
                CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$
                BEGIN INSERT INTO transactions SELECT pg_current_xact_id(), count(*) FROM fresh; RETURN NULL; END $$;
                CREATE TRIGGER note AFTER INSERT ON engagements REFERENCING NEW TABLE AS fresh
                    FOR EACH STATEMENT EXECUTE FUNCTION note();
                CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
                BEGIN IF NEW.id = '\(ids[37])' THEN RAISE EXCEPTION 'no'; END IF; RETURN NEW; END $$;
                CREATE TRIGGER refuse BEFORE INSERT ON engagements FOR EACH ROW EXECUTE FUNCTION refuse()
                """)
            // While the first one waits for somebody's lock, the others gather behind it: their answers are ready by then.
            lab.world.bump(first)
            for id in ids + [first] { lab.world.hold(id) }
            let asked = lab.world.totalRequests
            try await lab.enqueue([first] + ids)
            try await lab.world.waitForRequests(total: asked + 65)
            let person = try await lab.database.connect()
            try await person.run(script: "BEGIN; SELECT FROM engagements FOR UPDATE", name: "lock")
            lab.world.releaseHold(first)
            try await lab.database.wait(
                for:
                    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'",
                toBe: "1")
            for id in ids { lab.world.releaseHold(id) }
            // The one that is being written, and the 64.
            try await eventually("all answers wait to be written") {
                await lab.worker.worker.board.inHand == (inFlight: 0, unwritten: 65)
            }
            let rollbacks = "SELECT xact_rollback FROM pg_stat_database WHERE datname = current_database()"
            let before = try await lab.database.count(rollbacks)
            try await person.run(script: "COMMIT", name: "unlock")
            try await lab.settled()
            #expect(try await lab.database.value("SELECT cause FROM dead_letters") == "database")
            #expect(try await lab.database.count("SELECT count(*) FROM engagements") == 64)
            // Sessions tell their counts now and then, and when they end.
            try await lab.worker.stop()
            let committed = try await lab.database.count("SELECT count(DISTINCT tx) FROM transactions WHERE n > 0")
            #expect(committed >= 6, "nothing was halved")
            try await eventually("the rollbacks are counted") {
                try await lab.database.count(rollbacks) - before >= 7
            }
            await person.close()
            let rolledBack = try await lab.database.count(rollbacks) - before
            #expect(committed + rolledBack <= 2 * 6 + 1, "\(committed) committed, \(rolledBack) rolled back")
        }
    }

    private func hex(_ text: String) -> String {
        text.utf8.map { byte in (byte < 16 ? "0" : "") + String(byte, radix: 16) }.joined()
    }
}
