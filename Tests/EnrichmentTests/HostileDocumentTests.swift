import AskElephant
import Enrichment
import Simulator
import TestKit
import Testing

/// Answers that are no document, not this one, or too much of one.
@Suite(.serialized) struct HostileDocumentTests {
    private static let word = HostileLab.canary

    @Test func whatIsNoObjectIsADeadLetter() async throws {
        let bodies = [
            "", " ", "[]", #"["\#(Self.word)"]"#, "\"\(Self.word)\"", "null", "7", "<html>\(Self.word)</html>", "{",
            "{}}",
            #"{"id":"\#(Self.word)"#, #"{"title":"\#(Self.word)""#, "{'id': 'x'}", #"{"a":01}"#,
            #"{"a":NaN,"b":"\#(Self.word)"}"#,
        ]
        try await HostileLab.run(
            bodies.map { body in .init("the body \(body)", end: .dead("contract")) { _ in Array(body.utf8) } })
    }

    @Test func anotherEngagementsDocumentIsADeadLetter() async throws {
        let word = Self.word
        let dead = HostileLab.End.dead("contract")
        func other(_ name: String, _ change: @escaping @Sendable (inout TruthDocument) -> Void) -> HostileLab.Case {
            .init(name, end: dead) { id in
                var document = TruthDocument(id, title: word)
                change(&document)
                return Array(document.json.utf8)
            }
        }
        try await HostileLab.run([
            other("no id") { $0["id"] = nil }, other("null") { $0["id"] = "null" },
            other("a number") { $0["id"] = "7" },
            other("another id") { $0["id"] = #""ngmt_SomebodyElse""# },
            other("other case") { $0["id"] = "\"\($0.id.lowercased())\"" },
            other("a list") { $0["id"] = "[\"\($0.id)\"]" },
            // The last of two keys counts, whatever another parser would take.
            other("the other id last") { $0.repeatMember("id", #""ngmt_SomebodyElse""#) },
            .init("{}", end: dead) { _ in Array("{}".utf8) },
        ])
    }

    @Test func ofKeysThatAreThereTwiceTheLastCounts() async throws {
        let word = Self.word
        func twice(_ first: (String, String), _ last: String) -> @Sendable (String) -> [UInt8] {
            { id in
                var document = TruthDocument(id).with([first.0: first.1])
                document.repeatMember(first.0, last == "ID" ? "\"\(id)\"" : last)
                return Array(document.json.utf8)
            }
        }
        let title = "SELECT title FROM engagements WHERE id = $id"
        let transcript = "SELECT transcript FROM engagement_transcripts WHERE engagement_id = $id"
        let contacts = "SELECT count(*) FROM engagement_contacts WHERE engagement_id = $id"
        try await HostileLab.run([
            .init("titles", title, word, body: twice(("title", #""first""#), "\"\(word)\"")),
            .init("ids", title, "First", body: twice(("id", #""ngmt_SomebodyElse""#), "ID")),
            .init("transcripts", transcript, word, body: twice(("transcript", #""first""#), "\"\(word)\"")),
            .init("a transcript and null", transcript, nil, body: twice(("transcript", #""first""#), "null")),
            .init(
                "a transcript of true and one of text", transcript, word,
                body: twice(("transcript", "true"), "\"\(word)\"")),
            .init("contacts", contacts, "0", body: twice(("contacts", "[7]"), "[]")),
        ])
    }

    @Test func depthIsNobodysHarm() async throws {
        func nested(_ depth: Int) -> String {
            String(repeating: "[", count: depth) + "\"\(Self.word)\"" + String(repeating: "]", count: depth)
        }
        func nestedObjects(_ depth: Int) -> String {
            String(repeating: #"{"a":"#, count: depth) + "1" + String(repeating: "}", count: depth)
        }
        let stored = "SELECT _raw ? 'deep' FROM engagements WHERE id = $id"
        try await HostileLab.run([
            .init("200 lists", ["deep": nested(200)], stored, "t"),
            .init("200 objects", ["deep": nestedObjects(200)], stored, "t"),
            .init("7,000 objects", ["deep": nestedObjects(7_000)], end: HostileLab.End.stored, stored, "t"),
            .init("100,000 lists", ["deep": nested(100_000)], end: .dead("contract")),
            .init("100,000 objects", ["deep": nestedObjects(100_000)], end: .dead("contract")),
            .init(
                "7,000 lists as contacts", ["contacts": nested(7_000)],
                "SELECT cause FROM engagement_gaps WHERE engagement_id = $id", "malformed"),
            .init("100,000 lists as contacts", ["contacts": nested(100_000)], end: .dead("contract")),
            .init("100,000 lists that nothing closes", end: .dead("contract")) { _ in
                Array(#"{"a":"#.utf8) + [UInt8](repeating: UInt8(ascii: "["), count: 100_000)
            },
        ])
    }

    @Test func aBodyThatIsTooLargeIsADeadLetterAndTheOthersArrive() async throws {
        func small(_ configuration: inout Worker.Configuration) {
            TruthLab.quickRetries(&configuration)
            configuration.client.maxBodyBytes = 1 << 20
        }
        try await TruthLab.run(change: small) { lab in
            let id = "ngmt_Huge1"
            let huge = "\"" + String(repeating: "a", count: 40 << 20) + "\""
            lab.answer(TruthDocument(id).with(["transcript": huge]))
            let neighbours = (0..<99).map { lab.world.id($0) }
            try await lab.enrich([id] + neighbours)
            #expect(try await lab.database.value("SELECT concat(cause, ' ', times) FROM dead_letters") == "too_large 1")
            #expect(lab.world.requestCount(for: id) == 2, "tried once more, not many times")
            #expect(try await lab.database.count("SELECT count(*) FROM engagements") == 99)
        }
    }

    @Test func aLargeTranscriptArrives() async throws {
        try await TruthLab.run { lab in
            let text = String(repeating: HostileLab.canary + #" said \"yes\"\n"#, count: 400_000)
            try await lab.enrich(TruthDocument("ngmt_Large1").with(["transcript": "\"\(text)\""]))
            let length = "SELECT length(transcript) FROM engagement_transcripts"
            #expect(try await lab.database.count(length) == (HostileLab.canary.count + 12) * 400_000)
            try HostileLab.expectSilence()
        }
    }

    /// In one call of the writing function, where one bad document could take the others with it.
    @Test(arguments: [
        (#"{"id":"ID","title":"canaryword73\u0000"}"#, "22P05"),
        (#"{"id":"ID","title":"\ud83d canaryword73"}"#, "22P02"),
        (#"{"id":"ID","canaryword73":1e400000}"#, "22003"), (#"["canaryword73"]"#, "not_an_object"), ("", "22P02"),
        (#"{"id":"ngmt_Else","title":"canaryword73"}"#, "other_document"), ("{canaryword73", "22P02"),
        (#"{"id":"ID","a":"# + String(repeating: "[", count: 100_000), "54001"),
    ])
    func oneBadDocumentInABatchIsRefusedAlone(_ json: String, _ cause: String) async throws {
        try await TruthWriter.run { database, writer in
            let ids = (0..<100).map { "ngmt_Batch\($0)" }
            let rows = ids.map { "('\($0)')" }.joined(separator: ",")
            try await database.run("INSERT INTO enrichment_queue (engagement_id) VALUES " + rows)
            let jobs = try await writer.claim()
            let snapshots = jobs.enumerated().map { number, job in
                let healthy = TruthDocument(job.engagementID).json
                let bad = json.replacing("ID", with: job.engagementID)
                return TruthWriter.Snapshot(job, number == 42 ? bad : healthy, observed: "2026-03-01T12:00:00Z")
            }
            let written = try await writer.ingest(snapshots)
            #expect(written[42] == .init(outcome: "refused", cause: cause))
            #expect(written.filter { $0.outcome == "enriched" }.count == 99)
            #expect(try await database.value("SELECT count(*) || ' ' || min(claims) FROM enrichment_queue") == "1 1")
            try HostileLab.expectSilence()
        }
    }
}
