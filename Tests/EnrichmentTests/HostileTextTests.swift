import TestKit
import Testing

/// Text that Postgres cannot hold, numbers and times that no column can.
@Suite(.serialized) struct HostileTextTests {
    private static let word = HostileLab.canary

    private static func column(_ name: String) -> String { "SELECT \(name) FROM engagements WHERE id = $id" }
    private static let transcript = "SELECT transcript FROM engagement_transcripts WHERE engagement_id = $id"
    private static let issues = "SELECT _issues FROM engagements WHERE id = $id"
    private static func repaired(_ fix: String) -> String { #"[{"repaired": "\#(fix)"}]"# }

    @Test func textThatNoTextColumnHoldsIsCleaned() async throws {
        let word = Self.word
        try await HostileLab.run([
            .init("NUL in a title", ["title": #""\#(word)\u0000x""#], Self.column("title"), "\(word)\u{FFFD}x"),
            .init("NUL is an issue", ["title": #""\#(word)\u0000x""#], Self.issues, Self.repaired("nul_character")),
            .init("NUL in a transcript", ["transcript": #""\#(word)\u0000x""#], Self.transcript, "\(word)\u{FFFD}x"),
            .init("NUL in a key", ["a\\u0000b": "1"], Self.issues, Self.repaired("nul_character")),
            .init(
                "NUL in a contact", ["contacts": #"[{"id":"cnt_nul","first_name":"\#(word)\u0000"}]"#],
                "SELECT first_name FROM contacts WHERE id = 'cnt_nul' AND $id > ''", "\(word)\u{FFFD}"),
            .init("an escaped backslash", ["title": #""\#(word)\\u0000x""#], Self.column("title"), #"\#(word)\u0000x"#),
            .init("it is no issue", ["title": #""\#(word)\\u0000x""#], Self.issues, nil),
            .init(
                "an escaped backslash in a transcript", ["transcript": #""\#(word)\\u0000x""#], Self.transcript,
                #"\#(word)\u0000x"#),
            .init(
                "an escaped backslash beside a NUL", ["title": #""\\u0000\u0000\\\u0000\#(word)""#],
                Self.column("title"), #"\u0000"# + "\u{FFFD}" + #"\"# + "\u{FFFD}\(word)"),
            .init("a lone high surrogate", ["title": #""\#(word)\ud83d""#], Self.column("title"), "\(word)\u{FFFD}"),
            .init("a lone low surrogate", ["title": #""\udc00\#(word)""#], Self.column("title"), "\u{FFFD}\(word)"),
            .init(
                "surrogates the wrong way round", ["title": #""\ude00\ud83d""#], Self.column("title"),
                "\u{FFFD}\u{FFFD}"),
            .init("it is an issue", ["title": #""\ud83d\#(word)""#], Self.issues, Self.repaired("lone_surrogate")),
            .init("half an emoji in a transcript", ["transcript": #""a\ud83d""#], Self.transcript, "a\u{FFFD}"),
            .init("a whole pair", ["title": #""\ud83d\ude00""#], Self.column("title"), "😀"),
        ])
    }

    @Test func bytesThatAreNoTextAreCleaned() async throws {
        let word = Self.word
        func withBytes(_ member: String, _ bytes: [UInt8]) -> @Sendable (String) -> [UInt8] {
            { id in
                let json = Array(TruthDocument(id).with([member: "\"\(word)#\""]).json.utf8)
                let hash = json.firstIndex(of: UInt8(ascii: "#"))!
                return Array(json[..<hash]) + bytes + Array(json[(hash + 1)...])
            }
        }
        try await HostileLab.run([
            .init("a stray byte", Self.column("title"), "\(word)\u{FFFD}", body: withBytes("title", [0xFF])),
            .init("it is an issue", Self.issues, Self.repaired("invalid_utf8"), body: withBytes("title", [0xFF])),
            .init(
                "a cut sequence", Self.column("title"), "\(word)\u{FFFD}", body: withBytes("title", [0xF0, 0x9F, 0x98])),
            .init(
                "a stray byte in a transcript", Self.transcript, "\(word)\u{FFFD}",
                body: withBytes("transcript", [0xC0])),
            .init("a byte order mark", Self.column("title"), word) { id in
                [0xEF, 0xBB, 0xBF] + Array(TruthDocument(id, title: word).json.utf8)
            },
            .init("the mark is no issue", Self.issues, nil) { id in
                [0xEF, 0xBB, 0xBF] + Array(TruthDocument(id, title: word).json.utf8)
            },
        ])
    }

    @Test func numbersThatDoNotFitAreNullAndAnIssue() async throws {
        let issue = #"[{"field": "duration_seconds", "expected": "count"}]"#
        let bad = ["9223372036854775808", "2147483648", "-1", "1.5", #""12""#, "true", "[]", "{}", "1e30", "-0.5"]
        try await HostileLab.run(
            bad.flatMap { json -> [HostileLab.Case] in
                [
                    .init("\(json) is NULL", ["duration_seconds": json], Self.column("duration_seconds"), nil),
                    .init("\(json) is an issue", ["duration_seconds": json], Self.issues, issue),
                ]
            } + [
                .init("a number with a point", ["duration_seconds": "12.0"], Self.column("duration_seconds"), "12"),
                .init("it is no issue", ["duration_seconds": "12.0"], Self.issues, nil),
                .init("a power", ["duration_seconds": "1.2e1"], Self.column("duration_seconds"), "12"),
                .init("the largest", ["duration_seconds": "2147483647"], Self.column("duration_seconds"), "2147483647"),
                .init("an endless one", ["duration_seconds": "1e400000"], Self.column("duration_seconds"), nil),
                .init(
                    "an endless one is kept as text", ["duration_seconds": "1e400000"],
                    Self.column("_raw ->> 'duration_seconds'"), "1e400000"),
                .init(
                    "an endless one is two issues", ["duration_seconds": "1e400000"],
                    "SELECT jsonb_array_length(_issues) FROM engagements WHERE id = $id", "2"),
                .init(
                    "an endless one elsewhere", ["unknown": "[-1E-400000]"], Self.column("_raw #>> '{unknown,0}'"),
                    "-1E-400000"),
            ])
    }

    @Test func onlyStrictTimesAreTimes() async throws {
        let bad = [
            "2026-02-30T10:00:00Z", "2026-13-01T10:00:00Z", "0000-01-01T00:00:00Z", "infinity", "-infinity", "now",
            "tomorrow", "epoch", "2026-03-01", "2026-03-01T10:00:00", "2026-03-01 10:00:00Z", "10000-01-01T00:00:00Z",
            "2026-03-01T24:00:00Z", "2026-03-01T10:00:00Z ", "", "allballs", "2025-02-29T00:00:00Z", "1e9",
        ]
        let issue = #"[{"field": "start_at", "expected": "time"}]"#
        try await HostileLab.run(
            bad.flatMap { text -> [HostileLab.Case] in
                [
                    .init("\(text) is NULL", ["start_at": "\"\(text)\""], Self.column("start_at"), nil),
                    .init("\(text) is an issue", ["start_at": "\"\(text)\""], Self.issues, issue),
                ]
            } + [
                .init("seconds since 1970", ["start_at": "1767225600"], Self.issues, issue),
                .init(
                    "a leap day", ["start_at": #""2024-02-29T00:00:00Z""#], Self.column("start_at"),
                    "2024-02-29 00:00:00+00"),
                .init(
                    "an offset", ["start_at": #""2026-03-01T10:00:00.5+02:00""#], Self.column("start_at"),
                    "2026-03-01 08:00:00.5+00"),
                .init(
                    "the year 9999", ["start_at": #""9999-12-31T23:59:59Z""#], Self.column("start_at"),
                    "9999-12-31 23:59:59+00"),
                .init("updated_at in 9999", ["updated_at": #""9999-12-31T23:59:59Z""#], Self.issues, nil),
                .init("updated_at infinity", ["updated_at": #""infinity""#], Self.column("updated_at"), nil),
            ])
    }

    @Test(arguments: [
        ("title", "text"), ("description", "text"), ("owner_user_id", "text"), ("meeting_url", "text"),
        ("is_private", "boolean"), ("is_internal", "boolean"),
    ])
    func aValueOfTheWrongTypeIsNullAndAnIssue(_ field: String, _ expected: String) async throws {
        let issue = #"[{"field": "\#(field)", "expected": "\#(expected)"}]"#
        let values =
            [#"{"a":"\#(Self.word)"}"#, #"["\#(Self.word)"]"#, "7"] + (expected == "text" ? ["true"] : [#""true""#])
        try await HostileLab.run(
            values.flatMap { json -> [HostileLab.Case] in
                // Without the owner, which would lend its id.
                let changes: [String: String?] = ["owner": "null", field: json]
                return [
                    .init("\(field) \(json) is NULL", changes, Self.column(field), nil),
                    .init("\(field) \(json) is an issue", changes, Self.issues, issue),
                ]
            })
    }
}
