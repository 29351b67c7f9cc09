import Enrichment
import Simulator
import TestKit
import Testing

/// What a webhook tells of contacts, companies and tags reaches the engagements that hold them.
@Suite struct SpreadTests {
    @Test func engagementsThatHoldAContactAreFetchedAgain() async throws {
        try await ScopeLab.run { lab in
            let worker = try await lab.worker()
            try await lab.insert(lab.ids(0..<40))
            try await lab.database.wait(for: "SELECT count(*) FROM engagements", toBe: "40")
            try await lab.drained()
            let contact = try await lab.database.value(
                "SELECT contact_id FROM engagement_contacts GROUP BY 1 ORDER BY count(*) DESC, 1 LIMIT 1")
            let holders = try await lab.database.count(
                "SELECT count(DISTINCT engagement_id) FROM engagement_contacts WHERE contact_id = '\(contact!)'")
            let receiver = try await ReceiverLab(lab.database.configuration())
            let before = lab.world.totalRequests
            #expect(try await receiver.send(receiver.event("v1.contact.updated", contact!)) == 204)
            try await Self.age(lab.database)
            try await lab.database.wait(for: "SELECT count(*) FROM entity_changes", toBe: "0")
            try await lab.drained()
            #expect(lab.world.totalRequests == before + holders)
            func told() -> Int { worker.log.records(of: .jobDone).count { $0.fields[.reason] == "entity_changed" } }
            try await eventually("each is told of") { told() >= holders }
            #expect(told() == holders)
            await receiver.stop()
            try await worker.stop()
        }
    }

    /// One that waits is fetched after the change anyway; one that is in a worker's hands was perhaps fetched before.
    @Test func whatWaitsIsNotQueuedTwice() async throws {
        try await withTestDatabase { database in
            try await Self.hold("company", "cmp_1", 1...5, in: database)
            try await database.run(
                """
                INSERT INTO enrichment_queue (engagement_id) VALUES ('ngmt_1');
                INSERT INTO enrichment_queue (engagement_id, leased_by, available_at) VALUES ('ngmt_2', 7, now());
                INSERT INTO enrichment_queue (engagement_id, available_at) VALUES ('ngmt_3', now() + interval '1 hour');
                INSERT INTO entity_changes (kind, entity_id) VALUES ('company', 'cmp_1')
                """)
            try await Self.age(database)
            #expect(try await database.count("SELECT spread_changes(100)") == 4)
            #expect(
                try await database.value(
                    "SELECT string_agg(engagement_id, ' ' ORDER BY engagement_id) FROM enrichment_queue WHERE reason = 'entity_changed' AND priority < 0"
                )
                    == "ngmt_2 ngmt_3 ngmt_4 ngmt_5")
            #expect(try await database.count("SELECT count(*) FROM entity_changes") == 0)
        }
    }

    /// In slices; told of once more in the middle, it is gone through to its end and then anew.
    @Test func manyAreQueuedInSlices() async throws {
        try await withTestDatabase { database in
            let receiver = try await ReceiverLab(database.configuration())
            try await Self.hold("tag", "tag_1", 1...250, in: database)
            func tell() async throws {
                let status = try await receiver.send(receiver.event("v1.tag.updated", "tag_1"))
                #expect(status == 204)
                try await Self.age(database)
            }
            func slice() async throws -> Int {
                let queued = try await database.count("SELECT spread_changes(100)")
                // A worker takes them.
                try await database.run("DELETE FROM enrichment_queue")
                return queued
            }
            try await tell()
            #expect(try await slice() == 100)
            #expect(try await slice() == 100)
            try await tell()
            #expect(try await slice() == 50)
            #expect(try await slice() == 0, "anew, a minute later")
            try await Self.age(database)
            for expected in [100, 100, 50, 0] { #expect(try await slice() == expected) }
            #expect(try await database.count("SELECT count(*) FROM entity_changes") == 0)
            await receiver.stop()
        }
    }

    /// Of many changes of which most say nothing here none waits long, and one that Postgres refuses holds up no other.
    @Test func noChangeHoldsUpTheOthers() async throws {
        try await withTestDatabase { database in
            try await Self.hold("contact", "cnt_bad", 1...1, in: database)
            try await Self.hold("contact", "cnt_good", 2...4, in: database)
            try await database.run(
                """
                CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'not this one'; END $$;
                CREATE TRIGGER refuse BEFORE INSERT ON enrichment_queue FOR EACH ROW
                WHEN (NEW.engagement_id = 'ngmt_1') EXECUTE FUNCTION refuse();
                INSERT INTO entity_changes (kind, entity_id) SELECT 'contact', 'cnt_' || n FROM generate_series(1, 90) AS n;
                INSERT INTO entity_changes (kind, entity_id) VALUES ('contact', 'cnt_bad'), ('contact', 'cnt_good')
                """)
            #expect(try await database.count("SELECT spread_changes(100)") == 0, "not within a minute")
            try await Self.age(database)
            #expect(try await database.count("SELECT spread_changes(100)") == 3)
            #expect(try await database.value("SELECT string_agg(entity_id, ' ') FROM entity_changes") == "cnt_bad")
            try await database.run("DROP TRIGGER refuse ON enrichment_queue")
            try await Self.age(database)
            #expect(try await database.count("SELECT spread_changes(100)") == 1)
        }
    }

    /// What is gone or hidden is not fetched for that, and nothing is queued while the background is full.
    @Test func onlyWhatCanBeReadIsQueued() async throws {
        try await withTestDatabase { database in
            try await Self.hold("contact", "cnt_1", 1...4, in: database)
            try await database.run(
                """
                UPDATE engagements SET _deleted_at = now() WHERE id = 'ngmt_1';
                UPDATE engagements SET _unreadable_since = now(), _unreadable_cause = 'private' WHERE id = 'ngmt_2';
                INSERT INTO entity_changes (kind, entity_id, changed_at) VALUES ('contact', 'cnt_1', now() - interval '2 minutes');
                INSERT INTO enrichment_queue (engagement_id, reason, priority)
                VALUES ('ngmt_9', 'entity_changed', -1), ('ngmt_8', 'entity_changed', -1), ('ngmt_7', 'refill', -1)
                """)
            #expect(try await database.count("SELECT spread_changes(2)") == 0)
            #expect(try await database.count("SELECT count(*) FROM entity_changes") == 1)
            try await database.run("DELETE FROM enrichment_queue")
            #expect(try await database.count("SELECT spread_changes(10)") == 2)
        }
    }

    /// As if all had been told of some minutes ago.
    private static func age(_ database: TestDatabase) async throws {
        try await database.run("UPDATE entity_changes SET changed_at = changed_at - interval '2 hours'")
    }

    private static func hold(
        _ kind: String, _ entity: String, _ numbers: ClosedRange<Int>, in database: TestDatabase
    ) async throws {
        let (table, links) = [
            "contact": ("contacts", "contact_id"), "company": ("companies", "company_id"), "tag": ("tags", "tag_id"),
        ][kind]!
        try await database.run(
            """
            INSERT INTO \(table) (id, _raw, _observed_at) VALUES ('\(entity)', '{}', now());
            INSERT INTO engagements (id, _raw, _observed_at)
            SELECT 'ngmt_' || n, '{}', now() FROM generate_series(\(numbers.lowerBound), \(numbers.upperBound)) AS n;
            INSERT INTO engagement_\(table) (engagement_id, \(links))
            SELECT 'ngmt_' || n, '\(entity)' FROM generate_series(\(numbers.lowerBound), \(numbers.upperBound)) AS n
            """)
    }
}
