import Enrichment
import FoundationEssentials
import Testing

@testable import engagement_worker

@Suite struct LogOutputTests {
    private static let encoders: [LogEncoder] = [.json, .logfmt, .pretty(.plain)]

    /// Everything that could end a line, end a quotation, or command a terminal.
    private static let dangerous: [Unicode.Scalar] =
        (Array(0...0x1F) + Array(0x7F...0x9F) + Array(0x2028...0x202E) + Array(0x2066...0x2069))
        .compactMap { Unicode.Scalar($0 as UInt32) }

    @Test func jsonLineHasFixedFieldsFirstAndTheRestInOrder() {
        let line = text(.json, record([.jobID: 7, .cause: nil, .partsMissing: ["contacts"], .requestsPerSecond: 1.5]))
        #expect(
            line == #"{"ts":"2026-03-01T09:05:07.042Z","level":"info","event":"job.done","msg":"job done","#
                + #""job_id":7,"cause":null,"parts_missing":["contacts"],"requests_per_s":1.5}"# + "\n")
    }

    @Test func logfmtQuotesOnlyWhatNeedsIt() {
        let fields: LogFields = [
            .jobID: 7, .cause: nil, .reason: "null", .error: "a b", .hint: "", .partsMissing: ["contacts", "owner"],
            .host: "a=b", .requestID: "r-1",
        ]
        #expect(
            text(.logfmt, record(fields)) == #"ts=2026-03-01T09:05:07.042Z level=info event=job.done msg="job done" "#
                + #"job_id=7 cause=null reason="null" error="a b" hint="" parts_missing=contacts,owner host="a=b" "#
                + "request_id=r-1\n")
    }

    @Test func prettyLineIsAlignedAndLeavesNullsOut() {
        #expect(
            text(.pretty(.plain), record([.jobID: 7, .cause: nil]))
                == "09:05:07.042Z  info     job.done            job done  job_id=7\n")
        #expect(text(.pretty(.colored), record([:])).contains("\u{1B}[32minfo   \u{1B}[0m"))
    }

    @Test(arguments: dangerous)
    func dangerousCharactersAreEscapedInEveryFormat(_ scalar: Unicode.Scalar) throws {
        let value = "a\(Character(scalar))b"
        for encoder in Self.encoders {
            let line = text(encoder, record([.reason: .string(value)]))
            #expect(line.hasSuffix("\n"))
            #expect(!line.dropLast().unicodeScalars.contains(scalar), "U+\(String(scalar.value, radix: 16))")
        }
        #expect(try decoded(record([.reason: .string(value)]))["reason"] == .string(value))
    }

    @Test(arguments: [
        "\n{\"event\":\"job.done\"}", "\" event=job.done x=\"", "\\\" level=error", "\",\"event\":\"job.done",
        "\u{85}forged", "\u{2028}forged", "\u{1B}[2J", "\r\nforged",
    ])
    func foreignTextCannotForgeALine(_ attack: String) throws {
        for encoder in Self.encoders {
            let line = text(encoder, record([.reason: .string(attack), .claim: 1]))
            #expect(line.split(omittingEmptySubsequences: true, whereSeparator: \.isNewline).count == 1)
        }
        let fields = try decoded(record([.reason: .string(attack), .claim: 1]))
        #expect(fields["event"] == .string("job.done"))
        #expect(fields["reason"] == .string(attack))
        #expect(fields.count == 6)
    }

    @Test func forgedLogfmtPairStaysWithinItsQuotes() {
        let line = text(.logfmt, record([.reason: "x\" event=forged y=\"", .claim: 1]))
        #expect(line.contains(#"reason="x\" event=forged y=\"" claim=1"#))
    }

    @Test func longTextIsCutAtAScalar() throws {
        let exact = String(repeating: "é", count: TextEscaper.limit)
        #expect(try decoded(record([.reason: .string(exact)]))["reason"] == .string(exact))
        #expect(try decoded(record([.reason: .string(exact + "é")]))["reason"] == .string(exact + "…"))
        let ascii = String(repeating: "x", count: 1_000_000)
        for encoder in Self.encoders {
            #expect(encoder.encode(record([.reason: .string(ascii)])).count < 2500)
        }
    }

    @Test func numbersThatJSONHasNoWordForAreNull() throws {
        let fields = try decoded(record([.due: .double(.nan), .done: .double(.infinity), .dead: .double(1 / 3)]))
        #expect(fields["due"] == .null)
        #expect(fields["done"] == .null)
        #expect(fields["dead"] == .number(0.333))
    }

    @Test(arguments: [
        (0 as Int64, "1970-01-01T00:00:00.000Z"), (-1, "1969-12-31T23:59:59.999Z"),
        (951_782_400_000, "2000-02-29T00:00:00.000Z"), (951_868_799_999, "2000-02-29T23:59:59.999Z"),
        (1_709_164_800_000, "2024-02-29T00:00:00.000Z"), (1_735_689_599_001, "2024-12-31T23:59:59.001Z"),
        (4_107_542_400_000, "2100-03-01T00:00:00.000Z"),
    ])
    func timestampsAreUTCWithMilliseconds(_ milliseconds: Int64, _ expected: String) {
        var bytes: [UInt8] = []
        Timestamp(milliseconds: milliseconds).appendFull(to: &bytes)
        #expect(String(decoding: bytes, as: UTF8.self) == expected)
    }

    @Test func autoIsPrettyOnlyOnATerminal() {
        guard case .pretty(.colored) = LogFormat.auto.encoder(isTerminal: true, isJournal: false, style: .colored)
        else {
            Issue.record("a terminal gets pretty lines")
            return
        }
        guard case .json = LogFormat.auto.encoder(isTerminal: false, isJournal: false, style: .plain) else {
            Issue.record("anything else gets JSON")
            return
        }
    }

    @Test func recordsBelowTheLevelAreNotEvenPutTogether() {
        let log = Log(minimumLevel: .notice) { _ in Issue.record("written below the level") }
        func fields() -> LogFields {
            Issue.record("evaluated below the level")
            return [:]
        }
        log(.info, .request, "request", fields())
    }

    @Test func ownFieldsComeBeforeTheBaseAndNoKeyTwice() throws {
        let records = Records()
        let log = Log(minimumLevel: .info, base: [.worker: "base", .host: "h"], now: { 5 }, sink: records.add)
        log.adding([.pid: 1])(.info, .workerReady, "ready", [.worker: "own", .n: 2])
        let record = try #require(records.all.first)
        #expect(record.timestamp == 5)
        #expect(record.fields == [.worker: "own", .n: 2, .pid: 1, .host: "h"])
    }

    @Test func jobDoneHasTheFieldsOfTheContract() throws {
        let done = JobDone(
            jobID: 1, engagementID: nil, reason: nil, outcome: .dead, cause: "invalid_id", httpStatus: nil, claim: 1,
            attempt: 0, waitMilliseconds: 3, fetchMilliseconds: nil, writeMilliseconds: nil, requests: 0,
            partsMissing: [], coalesced: 0, requestID: nil, worker: "00ff")
        #expect(
            done.fields.list.map(\.key.rawValue) == [
                "job_id", "engagement_id", "reason", "outcome", "cause", "http_status", "claim", "attempt", "wait_ms",
                "fetch_ms", "write_ms", "requests", "parts_missing", "coalesced", "request_id", "worker",
            ])
        let records = Records()
        Log(minimumLevel: .info, base: [.worker: "00ff"], sink: records.add)(done)
        #expect(records.all.map(\.level) == [.notice])
        let fields = try decoded(try #require(records.all.first))
        #expect(fields["engagement_id"] == .null)
        #expect(fields["parts_missing"] == .array([]))
        #expect(fields["worker"] == .string("00ff"))
    }

    @Test func heartbeatHasTheFieldsOfTheContract() {
        let beat = Heartbeat(
            verdict: .blocked, why: "credential refused", limitedBy: .nothing, due: nil, oldestDueSeconds: nil,
            backgroundDue: nil, waiting: nil, inFlight: 0, done: 0, dead: 0, lastSuccessSeconds: nil,
            requestsPerSecond: 0, credential: .invalid, db: .lost, listen: .lost, partsDenied: ["contacts"])
        #expect(
            beat.fields.list.map(\.key.rawValue) == [
                "verdict", "why", "limited_by", "due", "oldest_due_s", "background_due", "waiting", "in_flight",
                "done", "dead", "last_success_s", "requests_per_s", "credential", "db", "listen", "parts_denied",
            ])
        let records = Records()
        Log(minimumLevel: .info, sink: records.add)(beat)
        #expect(records.all.map(\.level) == [.warning])
        #expect(records.all.map(\.event) == [.workerHeartbeat])
    }

    @Test func noFieldIsNamedLikeAFixedOne() {
        #expect(Set(LogKey.allCases.map(\.rawValue)).isDisjoint(with: LogKey.fixed))
    }

    private func record(_ fields: LogFields) -> LogRecord {
        LogRecord(
            timestamp: 1_772_355_907_042, level: .info, event: .jobDone, message: "job done", fields: fields)
    }

    private func text(_ encoder: LogEncoder, _ record: LogRecord) -> String {
        String(decoding: encoder.encode(record), as: UTF8.self)
    }

    private func decoded(_ record: LogRecord) throws -> [String: JSONField] {
        try JSONDecoder().decode([String: JSONField].self, from: Data(LogEncoder.json.encode(record)))
    }
}
