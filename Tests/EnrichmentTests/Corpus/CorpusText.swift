import TestKit

/// Text that wants to be more than text: stored as it is, or cleaned where no column can hold it.
enum CorpusText {
    static let cases = asIs + cleaned

    /// Each is stored in a title, a transcript, and a contact's name and e-mail, letter by letter.
    private static let texts = [
        "'; DROP TABLE engagements; --", "$$; DROP SCHEMA askelephant CASCADE; $$",
        "\\\\'; DELETE FROM enrichment_queue; --",
        "%s%s%n", "{}", "[]", "null", "NULL", "\\\\N", "{\\\"a\\\": 1}", "$1", "${jndi:ldap://x}",
        "<script>alert(1)</script>",
        "../../etc/passwd", "=cmd|' /C calc'!A0", "a\\nb",
        "{\\\"event\\\":\\\"job.done\\\",\\\"outcome\\\":\\\"enriched\\\"}",
        "\\r\\n2026-01-01T00:00:00Z error", "\\u001b[31mred", "\\u0007", "\\u0085", "\\u2028", "\\u2029", "\\u202e",
        "\\ufeff",
        "\\uffff", "\\ufffd", "\\u00e9", "e\\u0301", "👨‍👩‍👧‍👦", "🇩🇪", "العربية", "中文", "\\\\u0000", "\\\\\\\\", "\\t", " ", "",
    ]

    private static var asIs: [HostileLab.Case] {
        texts.enumerated().flatMap { number, text -> [HostileLab.Case] in
            let json = "\"\(text)\""
            let contact = "{\"id\":\"cnt_\(number)\",\"first_name\":\(json),\"emails\":[{\"email\":\(json)}]}"
            // What Postgres itself makes of the JSON text is what has to be stored.
            let same = "'\(json.replacing("'", with: "''"))'::jsonb #>> '{}'"
            return [
                .init(
                    "the title \(text)", ["title": json],
                    "SELECT (title = \(same))::text FROM engagements WHERE id = $id", "true"),
                .init(
                    "the transcript \(text)", ["transcript": json],
                    "SELECT (transcript = \(same))::text FROM engagement_transcripts WHERE engagement_id = $id", "true"),
                .init(
                    "the contact \(text)",
                    ["contacts": "[\(contact)]"],
                    """
                    SELECT (c.first_name = \(same) AND c.primary_email = \(same))::text
                    FROM engagement_contacts AS e JOIN contacts AS c ON c.id = e.contact_id WHERE e.engagement_id = $id
                    """, "true"),
            ]
        }
    }

    private static var cleaned: [HostileLab.Case] {
        let title = "SELECT title FROM engagements WHERE id = $id"
        let pairs = [
            (#"\u0000"#, "\u{FFFD}"), (#"a\u0000b"#, "a\u{FFFD}b"), (#"\ud800"#, "\u{FFFD}"), (#"\udfff"#, "\u{FFFD}"),
            (#"\udc00\ud800"#, "\u{FFFD}\u{FFFD}"), (#"a\ud83dz"#, "a\u{FFFD}z"), (#"\ud83d\u0041"#, "\u{FFFD}A"),
            (#"\\u0000\u0000"#, #"\u0000"# + "\u{FFFD}"), (#"\ud83d\ud83d\ude00"#, "\u{FFFD}😀"),
        ]
        let escaped: [HostileLab.Case] = pairs.map { json, value in
            .init("the title \(json)", ["title": "\"\(json)\""], title, value)
        }
        let bytes: [(String, [UInt8], String)] = [
            ("FF", [0xFF], "\u{FFFD}"), ("C0", [0xC0], "\u{FFFD}"), ("a cut sequence", [0xF0, 0x9F, 0x98], "\u{FFFD}"),
            ("a stray continuation", [0x80], "\u{FFFD}"), ("two stray bytes", [0xFE, 0xFF], "\u{FFFD}\u{FFFD}"),
        ]
        return escaped
            + bytes.map { name, bytes, value in
                .init("the bytes \(name) in a title", title, value) { id in
                    let json = Array(TruthDocument(id).with(["title": "\"#\""]).json.utf8)
                    let hash = json.firstIndex(of: UInt8(ascii: "#"))!
                    return Array(json[..<hash]) + bytes + Array(json[(hash + 1)...])
                }
            }
    }
}
