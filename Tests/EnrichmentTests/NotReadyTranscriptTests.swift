import Postgres
import TestKit
import Testing

/// A final status with a null transcript, which may still come.
struct NotReadyTranscriptTests {
    private let id = "ngmt_Late1"

    @Test(arguments: [("CALL", "COMPLETED"), ("MEETING", "COMPLETED"), ("MEETING", "FAILED")])
    func aFinishedCallWithoutTranscriptIsLookedAtTwice(_ type: String, _ status: String) async throws {
        try await TruthLab.run(change: TruthLab.quickPolls) { lab in
            let database = lab.database
            try await lab.enrich(TruthDocument(id).withoutTranscript(type, status))
            for look in ["1 01:00:00", "2 1 day"] {
                try await database.waitForLooks(id, toBe: look)
                #expect(try await database.gap(id) == "transcript not_ready waits")
                #expect(try await database.nextLooksAreRight())
                try await lab.enrich([id], reason: "person")
                #expect(try await database.looks(id) == look, "a person's job is no look")
                try await database.bringLooksForward()
            }
            #expect(try await lab.outcomes(of: "not_ready", count: 2) == ["unchanged": 1, "enriched": 1])
            #expect(try await database.count("SELECT count(*) FROM enrichment_queue") == 0)
            #expect(try await database.gap(id) == nil)
            #expect(try await database.value("SELECT _parts ? 'transcript' FROM engagements") == "t", "it is none")

            try await lab.enrich([id])
            #expect(try await database.gap(id) == nil, "none is an answer")
            #expect(try await database.looks(id) == nil)
        }
    }

    @Test func aTranscriptThatCameLateIsStoredAndEndsTheLooks() async throws {
        try await TruthLab.run(change: TruthLab.quickPolls) { lab in
            try await lab.enrich(TruthDocument(id).withoutTranscript())
            lab.answer(TruthDocument(id))
            try await lab.database.bringLooksForward()
            #expect(try await lab.outcomes(of: "not_ready", count: 1) == ["enriched": 1])
            #expect(try await lab.database.count("SELECT count(*) FROM enrichment_queue") == 0)
            #expect(try await lab.database.gap(id) == nil)
            #expect(try await lab.database.value("SELECT transcript FROM engagement_transcripts") == "Ann: hello")
        }
    }

    @Test(arguments: ["NOTE", "EMAIL", "WEBINAR"])
    func otherKindsHaveNoneAtOnce(_ type: String) async throws {
        try await TruthLab.run { lab in
            try await lab.enrich(TruthDocument(id).withoutTranscript(type))
            #expect(try await lab.database.count("SELECT count(*) FROM enrichment_queue") == 0)
            #expect(try await lab.database.gap(id) == nil)
            #expect(try await lab.database.value("SELECT _parts ? 'transcript' FROM engagements") == "t")
        }
    }

    @Test func looksBeforeTheEndDoNotCountAfterIt() async throws {
        try await TruthLab.run(change: TruthLab.quickPolls) { lab in
            try await lab.enrich(TruthDocument(id).unfinished())
            for (index, delay) in TruthLab.schedule[..<5].enumerated() {
                try await lab.database.waitForLooks(id, toBe: "\(index + 1) \(delay)")
                if index == 4 { lab.answer(TruthDocument(id).withoutTranscript()) }
                try await lab.database.bringLooksForward()
            }
            for look in ["6 01:00:00", "7 1 day"] {
                try await lab.database.waitForLooks(id, toBe: look)
                #expect(try await lab.database.gap(id) == "transcript not_ready waits")
                try await lab.database.bringLooksForward()
            }
            try await lab.database.waitForLooks(id, toBe: nil)
            try await lab.database.wait(for: "SELECT count(*) FROM engagement_gaps", toBe: "0")
        }
    }

    /// A status that goes to and fro has an end, too.
    @Test func aStatusThatGoesToAndFroIsGivenUp() async throws {
        try await TruthLab.run(change: TruthLab.quickPolls) { lab in
            try await lab.enrich(TruthDocument(id).unfinished())
            for look in 1...12 where try await lab.database.looks(id) != nil {
                let isFinal = !look.isMultiple(of: 2)
                lab.answer(isFinal ? TruthDocument(id).withoutTranscript() : TruthDocument(id).unfinished())
                try await lab.database.bringLooksForward()
                _ = try await lab.outcomes(of: "not_ready", count: look)
            }
            #expect(try await lab.database.count("SELECT count(*) FROM enrichment_queue") == 0)
        }
    }

    @Test func aTranscriptOfTheFirstAnswerIsKeptWhileItIsProcessedAgain() async throws {
        try await TruthLab.run(change: TruthLab.quickPolls) { lab in
            let later = TruthDocument(id, updatedAt: "2026-03-01T11:00:00Z")
            try await lab.enrich(TruthDocument(id))
            try await lab.enrich(later.unfinished())
            #expect(try await lab.database.gap(id) == "transcript not_ready waits")
            try await lab.database.bringLooksForward()
            try await lab.database.waitForLooks(id, toBe: "2 00:02:00")
            #expect(try await lab.database.value("SELECT transcript FROM engagement_transcripts") == "Ann: hello")

            // As final as the first answer: it is none, and no further look is due.
            let final = TruthDocument(id, updatedAt: "2026-03-01T12:00:00Z").withoutTranscript()
            try await lab.enrich(final)
            #expect(try await lab.database.count("SELECT count(*) FROM enrichment_queue") == 0)
            #expect(try await lab.database.gap(id) == nil)
        }
    }

    @Test func aTranscriptThatNobodyWantsIsNotLookedFor() async throws {
        try await TruthWriter.run { database, writer in
            let document = TruthDocument(id).withoutTranscript()
            let others = TruthDocument.parts.filter { $0 != "transcript" }
            let snapshot = TruthWriter.Snapshot(
                try await writer.hold(id), document.with(["transcript": nil]).json, observed: "2026-03-02T10:00:00Z",
                asked: others)
            _ = try await writer.ingest([snapshot], wanted: others)
            #expect(try await database.count("SELECT count(*) FROM enrichment_queue") == 0)
            #expect(try await database.gap(id) == nil)
        }
    }
}
