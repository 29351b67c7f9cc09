import Postgres
import TestKit
import Testing

/// Hidden, deleted, there again; and the fence.
struct TombstoneTests {
    private let id = "ngmt_Gone1"

    @Test func aTombstoneRefusesOlderSnapshotsAndANewerAnswerClearsIt() async throws {
        try await TruthWriter.run { database, writer in
            try await writer.write(TruthDocument(id), observed: at("12:00"))
            #expect(try await writer.settle(id, .deleted, observed: at("12:10")) == false)
            #expect(try await deleted(database) == "t")
            #expect(try await database.count("SELECT count(*) FROM engagements_live") == 0)
            #expect(try await database.count("SELECT count(*) FROM engagement_contacts") == 2, "the data is kept")

            let late = TruthDocument(id, title: "Late", updatedAt: at("11:30"))
            #expect(try await writer.write(late, observed: at("12:05")).outcome == "superseded")
            #expect(try await deleted(database) == "t")
            #expect(try await database.value("SELECT title FROM engagements") == "First")

            #expect(try await writer.write(TruthDocument(id), observed: at("12:20")).outcome == "enriched")
            #expect(try await deleted(database) == "f")
            #expect(try await database.count("SELECT count(*) FROM engagements_live") == 1)
        }
    }

    /// What the source answers now holds, also where its updated_at went back, as after a backup was restored there.
    @Test func aLaterAnswerShowsAgainWhateverItsVersion() async throws {
        try await TruthWriter.run { database, writer in
            let older = TruthDocument(id, title: "Older", updatedAt: at("09:00"))
            try await writer.write(TruthDocument(id), observed: at("12:00"))
            try await writer.settle(id, .unreadable, observed: at("12:10"))
            #expect(try await database.count("SELECT count(*) FROM engagements_live") == 0)
            #expect(try await writer.write(older, observed: at("12:20")).outcome == "superseded")
            #expect(try await database.count("SELECT count(*) FROM engagements_live") == 1, "it can be read")
            #expect(try await database.value("SELECT title FROM engagements") == "First")

            try await writer.settle(id, .deleted, observed: at("12:30"))
            #expect(try await writer.write(older, observed: at("12:40")).outcome == "enriched")
            #expect(try await deleted(database) == "f")
            #expect(try await database.value("SELECT title FROM engagements") == "Older")
        }
    }

    @Test func aTombstoneOfSomethingNeverStoredRefusesOlderSnapshotsToo() async throws {
        try await TruthWriter.run { database, writer in
            try await writer.settle(id, .deleted, observed: at("12:10"))
            #expect(try await deleted(database) == "t")
            #expect(try await writer.write(TruthDocument(id), observed: at("12:05")).outcome == "superseded")
            #expect(try await deleted(database) == "t")
            #expect(try await database.count("SELECT count(*) FROM engagement_contacts") == 0)
            #expect(try await writer.write(TruthDocument(id), observed: at("12:15")).outcome == "enriched")
            #expect(try await deleted(database) == "f")
        }
    }

    @Test(arguments: [TruthWriter.End.unreadable, .deleted])
    func aLateNotFoundMarksNothing(_ end: TruthWriter.End) async throws {
        try await TruthWriter.run { database, writer in
            try await writer.write(TruthDocument(id), observed: at("12:10"))
            #expect(try await writer.settle(id, end, observed: at("12:05")) == (end == .deleted))
            #expect(try await database.count("SELECT count(*) FROM engagements_live") == 1)
            let marks =
                "SELECT count(*) FROM engagements WHERE _deleted_at IS NOT NULL OR _unreadable_since IS NOT NULL"
            #expect(try await database.count(marks) == 0)
        }
    }

    @Test func notFoundHidesAndALaterAnswerShowsAgain() async throws {
        try await TruthWriter.run { database, writer in
            let mark = "SELECT concat(_unreadable_cause, ' ', _unreadable_since = '\(at("12:10"))') FROM engagements"
            try await writer.write(TruthDocument(id), observed: at("12:00"))
            try await writer.settle(id, .unreadable, observed: at("12:10"))
            try await writer.settle(id, .unreadable, observed: at("12:20"))
            #expect(try await database.value(mark) == "not_found t", "since the first one")
            #expect(try await database.count("SELECT count(*) FROM engagements_live") == 0)
            #expect(try await database.count("SELECT count(*) FROM engagement_contacts") == 2)

            // Asked before the refusal and late to arrive: it shows nothing.
            try await writer.write(TruthDocument(id, title: "Late", updatedAt: at("11:59")), observed: at("12:05"))
            #expect(try await database.count("SELECT count(*) FROM engagements_live") == 0)

            let changed = try await database.value("SELECT _changed_at FROM engagements")
            #expect(
                try await writer.write(TruthDocument(id, title: "Late", updatedAt: at("11:59")), observed: at("12:30"))
                    .outcome == "enriched")
            #expect(try await database.count("SELECT count(*) FROM engagements_live") == 1)
            #expect(try await database.value("SELECT _unreadable_cause FROM engagements") == nil)
            #expect(
                try await database.value("SELECT _changed_at FROM engagements") != changed, "readers see it come back")
        }
    }

    @Test func oneStaleTokenInABatchCostsOnlyItself() async throws {
        try await TruthWriter.run { database, writer in
            let ids = (0..<100).map { "ngmt_Fence\($0)" }
            let rows = ids.map { "('\($0)')" }.joined(separator: ",")
            try await database.run("INSERT INTO enrichment_queue (engagement_id) VALUES " + rows)
            let jobs = try await writer.claim()
            #expect(jobs.count == 100 && jobs.allSatisfy { $0.claims == 1 })
            let stale = jobs[37]
            try await database.run("UPDATE enrichment_queue SET claims = claims + 1 WHERE id = \(stale.id)")
            let written = try await writer.ingest(
                jobs.map { TruthWriter.Snapshot($0, TruthDocument($0.engagementID).json, observed: at("12:00")) })
            #expect(written.filter { $0.outcome == "enriched" }.count == 99)
            #expect(written[37] == .init(outcome: "lease_lost", lost: "\(stale.id)"))
            #expect(try await database.count("SELECT count(*) FROM engagements") == 99)
            let left = "SELECT string_agg(engagement_id || ' ' || claims, ',') FROM enrichment_queue"
            #expect(try await database.value(left) == "\(stale.engagementID) 2")
            #expect(
                try await database.count("SELECT count(*) FROM engagements WHERE id = '\(stale.engagementID)'") == 0)
        }
    }

    @Test(arguments: ["leased_by = 99", "leased_by = NULL", "claims = claims + 1"])
    func aLostJobIsNotSettledEither(_ change: String) async throws {
        try await TruthWriter.run { database, writer in
            try await writer.write(TruthDocument(id), observed: at("12:00"))
            // The trigger takes the job away as soon as it is held.
            try await database.run(
                """
                CREATE FUNCTION take_away() RETURNS trigger LANGUAGE plpgsql AS $$
                BEGIN UPDATE askelephant.enrichment_queue SET \(change) WHERE id = NEW.id; RETURN NULL; END $$;
                CREATE TRIGGER take_away AFTER INSERT ON enrichment_queue FOR EACH ROW EXECUTE FUNCTION take_away();
                """
            )
            #expect(try await writer.settle(id, .deleted, observed: at("12:10")) == nil)
            #expect(try await deleted(database) == "f")
            #expect(try await database.count("SELECT count(*) FROM enrichment_queue") == 1)
        }
    }

    // MARK: -

    private func at(_ time: String) -> String { "2026-03-01T\(time):00Z" }

    private func deleted(_ database: TestDatabase) async throws -> String? {
        try await database.value("SELECT _deleted_at IS NOT NULL FROM engagements WHERE id = '\(id)'")
    }
}
