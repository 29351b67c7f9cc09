import Postgres
import TestKit
import Testing

/// Which of two snapshots wins, whatever order they arrive in. Times are of one day; observations are given.
struct OrderTests {
    private let id = "ngmt_Order1"

    @Test func aLateOlderSnapshotLoses() async throws {
        try await TruthWriter.run { database, writer in
            try await writer.write(document("New", updated: "12:00"), observed: at("12:10"))
            let late = try await writer.write(document("Old", updated: "11:00"), observed: at("12:05"))
            #expect(late.outcome == "superseded")
            // A stale replica is asked later and still knows less.
            let stale = try await writer.write(document("Old", updated: "11:00"), observed: at("12:20"))
            #expect(stale.outcome == "superseded")
            #expect(try await title(database) == "New")
            #expect(try await database.count("SELECT count(*) FROM enrichment_queue") == 0)
        }
    }

    @Test func anEqualUpdatedAtIsDecidedByTheObservation() async throws {
        try await TruthWriter.run { database, writer in
            try await writer.write(document("First", updated: "12:00"), observed: at("12:10"))
            let later = try await writer.write(document("Second", updated: "12:00"), observed: at("12:20"))
            #expect(later.outcome == "enriched")
            let earlier = try await writer.write(document("Third", updated: "12:00"), observed: at("12:15"))
            #expect(earlier.outcome == "superseded")
            #expect(try await title(database) == "Second")
        }
    }

    @Test func aNewerUpdatedAtThatWasRequestedEarlierWins() async throws {
        try await TruthWriter.run { database, writer in
            try await writer.write(document("Old", updated: "11:00"), observed: at("12:20"))
            let newer = try await writer.write(document("New", updated: "12:00"), observed: at("12:10"))
            #expect(newer.outcome == "enriched")
            #expect(try await title(database) == "New")
        }
    }

    @Test func anUpdatedAtFarAheadBlocksNothing() async throws {
        try await TruthWriter.run { database, writer in
            var hostile = TruthDocument(id, title: "Hostile", updatedAt: "2026-03-02T08:00:00Z")
            hostile["contacts"] = "[\(TruthDocument.contact("x", id))]"
            try await writer.write(document("Honest", updated: "11:00"), observed: at("12:00"))
            #expect(try await writer.write(hostile, observed: at("12:10")).outcome == "enriched")
            let next = try await writer.write(document("Next", updated: "11:30"), observed: at("12:20"))
            #expect(next.outcome == "enriched")
            #expect(try await title(database) == "Next")
            // Part by part: the hostile time is not kept with the contacts either.
            #expect(
                try await database.count("SELECT count(*) FROM engagement_contacts WHERE contact_id LIKE 'cnt_x%'") == 0
            )
        }
    }

    @Test func anUpdatedAtWithinFiveMinutesAheadCounts() async throws {
        try await TruthWriter.run { database, writer in
            try await writer.write(document("Ahead", updated: "12:04"), observed: at("12:00"))
            let behind = try await writer.write(document("Behind", updated: "12:03"), observed: at("12:01"))
            #expect(behind.outcome == "superseded")
            #expect(try await title(database) == "Ahead")
        }
    }

    @Test func aPartThatOnlyTheOlderSnapshotHasIsAddedToTheNewerOne() async throws {
        try await TruthWriter.run { database, writer in
            let newer = document("New", updated: "12:00").with(["contacts": nil])
            let first = try await writer.write(newer, observed: at("12:10"))
            #expect(first == .init(outcome: "partial", missing: "contacts"))
            let older = document("Old", updated: "11:00").with(["tags": #"[{"id":"tag_old"}]"#])
            #expect(try await writer.write(older, observed: at("12:05")).outcome == "enriched")
            #expect(try await title(database) == "New")
            #expect(try await database.count("SELECT count(*) FROM engagement_contacts") == 2)
            #expect(try await database.value("SELECT string_agg(tag_id, ',') FROM engagement_tags") == "tag_\(id)")
            // The newest answer did not have it: the gap stays, and says from when the content is.
            let gap = "SELECT part || ' ' || (last_delivered_at = '\(at("12:05"))')::text FROM engagement_gaps"
            #expect(try await database.value(gap) == "contacts true")
        }
    }

    /// An older answer that says the same of a part makes it no older: one of the time between would be news then.
    @Test func whatIsStillEmptyStaysAsNewAsItWas() async throws {
        try await TruthWriter.run { database, writer in
            let empty = ["transcript": "null", "engagement_type": #""EMAIL""#]
            try await writer.write(document("New", updated: "12:30").with(empty), observed: at("12:35"))
            let older = try await writer.write(document("Old", updated: "12:00").with(empty), observed: at("12:05"))
            #expect(older.outcome == "superseded")
            let between = document("Between", updated: "12:15").with(["engagement_type": #""EMAIL""#])
            #expect(try await writer.write(between, observed: at("12:20")).outcome == "superseded")
            #expect(try await database.count("SELECT count(*) FROM engagement_transcripts") == 0)
            // What is as new and was asked for later is the same, and newer.
            let again = document("New", updated: "12:30").with(empty)
            #expect(try await writer.write(again, observed: at("12:40")).outcome == "unchanged")
        }
    }

    @Test(arguments: [true, false]) func twoFirstWritesAtOnceEndWithTheNewer(_ newerFirst: Bool) async throws {
        try await TruthWriter.run { database, one in
            let two = try await TruthWriter(database, boot: 8)
            let newer = document("New", updated: "12:00")
            let older = document("Old", updated: "11:00").with(["contacts": "[\(TruthDocument.contact("z", id))]"])
            try await one.connection.run(script: "BEGIN", name: "test")
            try await one.write(newerFirst ? newer : older, observed: at(newerFirst ? "12:10" : "12:05"))
            async let second = two.write(newerFirst ? older : newer, observed: at(newerFirst ? "12:05" : "12:10"))
            // The second one has begun, and waits for the first.
            let waiting = """
                SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'
                """
            try await database.wait(for: waiting, toBe: "1")
            try await one.connection.run(script: "COMMIT", name: "test")
            #expect(try await second.outcome == (newerFirst ? "superseded" : "enriched"))
            #expect(try await title(database) == "New")
            let contacts = "SELECT string_agg(contact_id, ',' ORDER BY contact_id) FROM engagement_contacts"
            #expect(try await database.value(contacts) == "cnt_a_\(id),cnt_b_\(id)")
            await two.connection.close()
        }
    }

    @Test func anOlderObservationOfAContactThroughAnotherEngagementDoesNotOverwriteIt() async throws {
        try await TruthWriter.run { database, writer in
            let shared = #"[{"id":"cnt_shared","first_name":"NAME"}]"#
            let (new, old) = (shared.replacing("NAME", with: "New"), shared.replacing("NAME", with: "Old"))
            try await writer.write(document("One", updated: "12:00").with(["contacts": new]), observed: at("12:10"))
            let other = TruthDocument("ngmt_Order2", updatedAt: at("12:30")).with(["contacts": old])
            try await writer.write(other, observed: at("12:05"))
            #expect(try await database.value("SELECT first_name FROM contacts WHERE id = 'cnt_shared'") == "New")
            let links = "SELECT count(*) FROM engagement_contacts WHERE contact_id = 'cnt_shared'"
            #expect(try await database.count(links) == 2)
        }
    }

    @Test func forceLetsAnOlderSnapshotWin() async throws {
        try await TruthWriter.run { database, writer in
            try await writer.write(document("New", updated: "12:00"), observed: at("12:10"))
            let forced = try await writer.write(
                document("Restored", updated: "09:00"), observed: at("12:20"), force: true)
            #expect(forced.outcome == "enriched")
            #expect(try await title(database) == "Restored")
        }
    }

    // MARK: -

    private func at(_ time: String) -> String { "2026-03-01T\(time):00Z" }

    private func document(_ title: String, updated: String) -> TruthDocument {
        TruthDocument(id, title: title, updatedAt: at(updated))
    }

    private func title(_ database: TestDatabase) async throws -> String? {
        try await database.value("SELECT title FROM engagements WHERE id = '\(id)'")
    }
}
