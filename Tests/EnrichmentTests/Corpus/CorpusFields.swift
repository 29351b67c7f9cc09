import TestKit

/// Values of the wrong type or out of range in the document's own fields.
enum CorpusFields {
    static let cases = types + numbers + times

    private static func column(_ name: String) -> String { "SELECT \(name) FROM engagements WHERE id = $id" }

    /// NULL in its column, and an issue that names the field.
    private static func isNullWithIssue(_ field: String, _ json: String, _ expected: String) -> HostileLab.Case {
        .init(
            "\(field): \(json)", ["owner": "null", field: json],
            "SELECT concat(\(field), ' ', _issues @> '[{\"field\": \"\(field)\", \"expected\": \"\(expected)\"}]') FROM engagements WHERE id = $id",
            " t")
    }

    private static var types: [HostileLab.Case] {
        let word = HostileLab.canary
        let texts = [
            "title", "description", "engagement_type", "processing_status", "owner_user_id", "meeting_url",
        ]
        let ofText = ["7", "true", "-0.5", "[]", "{}", "[\"\(word)\"]", "{\"a\":\"\(word)\"}", "[[]]"].flatMap { json in
            texts.map { isNullWithIssue($0, json, "text") }
        }
        let ofBoolean = ["7", "\"true\"", "0", "\"\"", "[]", "{}", "[true]"].flatMap { json in
            ["is_private", "is_internal"].map { isNullWithIssue($0, json, "boolean") }
        }
        return ofText + ofBoolean
    }

    private static var numbers: [HostileLab.Case] {
        let bad = [
            "-1", "1.5", "\"12\"", "true", "[]", "{}", "1e30", "-0.5", "2147483648", "9223372036854775808", "0.000001",
            "-2147483649", "\"\"", "[60]", "1e10",
        ]
        let good = [
            ("0", "0"), ("12.0", "12"), ("1.2e1", "12"), ("2147483647", "2147483647"), ("60e0", "60"), ("6E1", "60"),
            ("-0", "0"),
        ]
        return bad.map { isNullWithIssue("duration_seconds", $0, "count") }
            + good.map { json, value in
                .init("duration_seconds: \(json)", ["duration_seconds": json], column("duration_seconds"), value)
            }
    }

    private static var times: [HostileLab.Case] {
        let bad = [
            "2026-02-30T10:00:00Z", "2026-13-01T10:00:00Z", "2026-00-01T10:00:00Z", "2026-01-00T10:00:00Z",
            "2026-01-32T10:00:00Z", "0000-01-01T00:00:00Z", "-0001-01-01T00:00:00Z", "10000-01-01T00:00:00Z",
            "infinity",
            "-infinity", "now", "today", "tomorrow", "yesterday", "epoch", "allballs", "2026-03-01",
            "2026-03-01T10:00:00",
            "2026-03-01 10:00:00Z", "2026-03-01T24:00:00Z", "2026-03-01T10:60:00Z", "2026-03-01T10:00:61Z",
            "2026-03-01T10:00:00Z ", " 2026-03-01T10:00:00Z", "", "2025-02-29T00:00:00Z", "1e9", "1767225600",
            "20260301T100000Z", "2026-W09-7", "2026-060", "Sun, 01 Mar 2026 10:00:00 GMT", "March 1, 2026",
            "01/03/2026",
            "2026-03-01T10:00:00Z'; DROP TABLE engagements; --", "２０２６-03-01T10:00:00Z", "P1D", "null",
        ]
        let texts = bad.map { isNullWithIssue("start_at", "\"\($0)\"", "time") }
        let others = ["7", "true", "[]", "{}", "1767225600", "1.5"].flatMap { json in
            ["start_at", "end_at", "created_at"].map { isNullWithIssue($0, json, "time") }
        }
        let good = [
            ("2024-02-29T00:00:00Z", "2024-02-29 00:00:00+00"),
            ("2026-03-01T10:00:00.5+02:00", "2026-03-01 08:00:00.5+00"),
            ("9999-12-31T23:59:59Z", "9999-12-31 23:59:59+00"), ("0001-01-01T00:00:00Z", "0001-01-01 00:00:00+00"),
            ("2026-03-01T10:00:00.123456789Z", "2026-03-01 10:00:00.123457+00"),
            ("2026-03-01T10:00:00-11:30", "2026-03-01 21:30:00+00"),
        ]
        return texts + others
            + good.map { .init("start_at: \($0)", ["start_at": "\"\($0)\""], column("start_at"), $1) }
    }
}
