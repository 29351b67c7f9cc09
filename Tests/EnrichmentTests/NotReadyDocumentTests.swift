import Postgres
import TestKit
import Testing

/// Which answers are looked at again and when, by documents that no well-meaning API would send, and calls out of order.
struct NotReadyDocumentTests {
    private let id = "ngmt_Early1"

    /// Start, end, and when the first look is due.
    private static let meetings: [(String?, String?, String)] = [
        ("2099-01-01T10:00:00Z", nil, "2099-01-01 10:01:00+00"),
        ("2099-01-01T10:00:00Z", "2099-01-01T11:00:00+01:00", "2099-01-01 10:01:00+00"),
        ("2099-01-01T10:00:00Z", "2099-01-01T11:00:00Z", "2099-01-01 11:01:00+00"),
        (nil, "9999-12-31T23:59:59.999Z", "10000-01-01 00:00:59.999+00"),
    ]

    @Test(arguments: meetings)
    func looksAreCountedFromTheMeeting(_ start: String?, _ end: String?, _ expected: String) async throws {
        try await TruthLab.run { lab in
            let times = ["start_at": start.map { "\"\($0)\"" } ?? "null", "end_at": end.map { "\"\($0)\"" } ?? "null"]
            try await lab.enrich(TruthDocument(id).unfinished("SCHEDULED").with(times))
            let at = "SELECT available_at::text FROM enrichment_queue WHERE engagement_id = '\(id)'"
            #expect(try await lab.database.value(at) == expected)
            #expect(try await lab.database.nextLooksAreRight())
            #expect(try await lab.database.count("SELECT count(*) FROM missing_parts WHERE explanation IS NULL") == 0)
            try await lab.enrich(TruthDocument("ngmt_Neighbour"))
            #expect(try await lab.database.count("SELECT count(*) FROM engagements") == 2)
        }
    }

    @Test func aMeetingInThePastIsCountedFromNow() async throws {
        try await TruthLab.run { lab in
            try await lab.enrich(
                TruthDocument(id).unfinished().with([
                    "start_at": #""2001-01-01T00:00:00Z""#, "end_at": #""infinity""#,
                ]))
            #expect(try await lab.database.looks(id) == "1 00:01:00")
        }
    }

    @Test(arguments: ["PROCESSING", "completed", "", "COMPLETED_WITH_NOTES"])
    func aStatusThatIsNotFinalIsLookedAtThoughNothingIsMissing(_ status: String) async throws {
        try await TruthLab.run { lab in
            try await lab.enrich(TruthDocument(id).with(["processing_status": "\"\(status)\""]))
            #expect(try await lab.database.looks(id) == "1 00:01:00")
            #expect(try await lab.database.gap(id) == nil)
            try await lab.enrich(TruthDocument(id, updatedAt: "2026-03-01T11:00:00Z"))
            #expect(try await lab.database.count("SELECT count(*) FROM enrichment_queue") == 0)
        }
    }

    @Test(arguments: [nil, "null", "7", "{}"])
    func withoutAStatusOnlyAMissingTranscriptIsAReasonToLook(_ status: String?) async throws {
        try await TruthLab.run { lab in
            try await lab.enrich(TruthDocument(id).with(["processing_status": status]))
            #expect(try await lab.database.looks(id) == nil)
            let other = "ngmt_Early2"
            try await lab.enrich(TruthDocument(other).with(["processing_status": status, "transcript": "null"]))
            #expect(try await lab.database.looks(other) == "1 00:01:00")
            #expect(try await lab.database.gap(other) == "transcript not_ready waits")
        }
    }

    @Test func emptyListsAreAnAnswer() async throws {
        try await TruthLab.run { lab in
            let lists = ["companies", "contacts", "action_items", "signals", "tags"]
            try await lab.enrich(TruthDocument(id).with(Dictionary(uniqueKeysWithValues: lists.map { ($0, "[]") })))
            #expect(try await lab.database.count("SELECT count(*) FROM enrichment_queue") == 0)
        }
    }

    @Test(arguments: [("7", "0"), ("0", "0"), ("NULL", "0"), ("-3", "-3")])
    func aLookKeepsTheLaneOfItsJobButIsNeverLive(_ priority: String, _ expected: String) async throws {
        try await TruthLab.run { lab in
            lab.answer(TruthDocument(id).unfinished())
            try await lab.database.insert(id, ["priority": priority])
            try await lab.database.waitForLooks(id, toBe: "1 00:01:00")
            #expect(try await lab.database.value("SELECT priority FROM enrichment_queue") == expected)
        }
    }

    @Test func anOlderAnswerArrangesNothing() async throws {
        try await TruthWriter.run { database, writer in
            try await writer.write(TruthDocument(id), observed: "2026-03-02T10:00:00Z")
            let old = TruthDocument(id, updatedAt: "2026-03-01T09:00:00Z").unfinished()
            #expect(try await writer.write(old, observed: "2026-03-02T09:00:00Z").outcome == "superseded")
            #expect(try await database.count("SELECT count(*) FROM enrichment_queue") == 0)

            try await writer.settle(id, .deleted, observed: "2026-03-02T11:00:00Z")
            let late = TruthDocument(id, updatedAt: "2026-03-01T12:00:00Z").unfinished()
            #expect(try await writer.write(late, observed: "2026-03-02T10:30:00Z").outcome == "superseded")
            #expect(try await database.count("SELECT count(*) FROM enrichment_queue") == 0)
        }
    }

    /// A replica that lags answers a look with the version before: that must not end the looks, nor go on for ever.
    @Test(arguments: [true, false])
    func aLookThatGotAnOlderAnswerIsFollowedByTheNext(_ isFinal: Bool) async throws {
        try await TruthWriter.run { database, writer in
            let document = TruthDocument(id, updatedAt: "2026-03-01T11:00:00Z")
            try await writer.write(
                isFinal ? document.withoutTranscript() : document.unfinished(), observed: "2026-03-02T10:00:00Z")
            let old = TruthDocument(id, updatedAt: "2026-03-01T09:00:00Z").unfinished()
            let delays = isFinal ? ["01:00:00", "1 day"] : TruthLab.schedule
            for (index, delay) in delays.enumerated() {
                #expect(try await database.looks(id) == "\(index + 1) \(delay)")
                try await database.bringLooksForward()
                let job = try #require(try await writer.claim().first)
                let snapshot = TruthWriter.Snapshot(job, old.json, observed: "2026-03-02T11:00:00Z")
                #expect(try await writer.ingest([snapshot])[0].outcome == "superseded")
            }
            #expect(try await database.count("SELECT count(*) FROM enrichment_queue") == 0)
            #expect(try await database.gap(id) == "transcript not_ready")
        }
    }

    /// A person's job is fetched while another worker holds the look; the look's own answer comes after it.
    @Test func aLookInAnotherHandEndsWithOneChain() async throws {
        try await TruthWriter.run { database, writer in
            let document = TruthDocument(id).unfinished()
            try await writer.write(document, observed: "2026-03-02T10:00:00Z")
            try await database.bringLooksForward()
            let look = try #require(try await writer.claim().first)
            try await writer.write(document, observed: "2026-03-02T11:00:00Z")
            let early = TruthWriter.Snapshot(look, document.json, observed: "2026-03-02T10:30:00Z")
            #expect(try await writer.ingest([early])[0].outcome == "superseded")
            #expect(try await database.looks(id) == "1 00:01:00")

            try await database.bringLooksForward()
            let next = try #require(try await writer.claim().first)
            try await writer.write(TruthDocument(id), observed: "2026-03-02T12:00:00Z")
            #expect(try await database.count("SELECT count(*) FROM enrichment_queue") == 1, "held by somebody")
            let last = TruthWriter.Snapshot(next, TruthDocument(id).json, observed: "2026-03-02T13:00:00Z")
            #expect(try await writer.ingest([last])[0].outcome == "unchanged")
            #expect(try await database.count("SELECT count(*) FROM enrichment_queue") == 0)
        }
    }

    /// The word is ours, and somebody used it: that row is a job like any other.
    @Test func aJobThatOnlyClaimsToBeALookIsNotDeleted() async throws {
        try await TruthWriter.run { database, writer in
            let columns = ["reason": "'not_ready'", "available_at": "now() + interval '1 h'"]
            try await database.insert(id, columns)
            #expect(try await database.state(id) == "waiting {}")
            try await writer.write(TruthDocument(id).unfinished(), observed: "2026-03-02T10:00:00Z")
            #expect(try await database.count("SELECT count(*) FROM enrichment_queue") == 2)
            try await writer.write(TruthDocument(id), observed: "2026-03-02T11:00:00Z")
            #expect(try await database.count("SELECT count(*) FROM enrichment_queue WHERE looks = 0") == 1)
            #expect(try await database.count("SELECT count(*) FROM enrichment_queue") == 1)
        }
    }

    @Test func aNumberOfLooksThatNobodyCountedBreaksNothing() async throws {
        try await TruthWriter.run { database, writer in
            for (number, looks) in ["2147483647", "-5", "NULL"].enumerated() {
                let id = "ngmt_Odd\(number)"
                try await database.insert(id, ["reason": "'not_ready'", "looks": looks])
                let job = try #require(try await writer.claim().first)
                let json = TruthDocument(id).unfinished().json
                let snapshot = TruthWriter.Snapshot(job, json, observed: "2026-03-02T10:00:00Z")
                #expect(try await writer.ingest([snapshot])[0].outcome == "enriched")
                #expect(try await database.looks(id) == (number == 0 ? nil : "1 00:01:00"))
            }
        }
    }
}
