import Postgres
import TestKit
import Testing

/// What is taken out of texts and JSON, and what only looks like it.
struct RedactionTests {
    private static let purged = [
        ("email", "ann@x.example"), ("email", "O'Brien+sales@x.example"), ("email", "j\u{FC}rgen@x.example"),
        ("email", "_und@x.example"), ("contact", "cnt_Ann1"),
        ("engagement", "ngmt_Gone1"),
    ]

    private static let texts: [(source: String, redacted: String)] = [
        ("ann@x.example", "[purged]"),
        ("Ann@X.Example and ann@x.example", "[purged] and [purged]"),
        ("ann@x.example ann@x.example,ann@x.example", "[purged] [purged],[purged]"),
        ("<ann@x.example>, (ann@x.example). mailto:ann@x.example;", "<[purged]>, ([purged]). mailto:[purged];"),
        ("...ann@x.example...", "...[purged]..."),
        ("'ann@x.example' _ann@x.example_ *ann@x.example*", "'[purged]' _[purged]_ *[purged]*"),
        ("ann@x.example's ann@x.example-", "[purged]'s [purged]-"),
        ("joann@x.example", "joann@x.example"),
        (
            "\u{201C}ann@x.example\u{201D} \u{AB}ann@x.example\u{BB} `ann@x.example` ann@x.example\u{2019}s",
            "\u{201C}[purged]\u{201D} \u{AB}[purged]\u{BB} `[purged]` [purged]\u{2019}s"
        ),
        (
            "a\u{2014}ann@x.example\u{2026} \u{2022}ann@x.example~ann@x.example\u{A0}ann@x.example\u{200B}\u{3001}ann@x.example\u{FF09}",
            "a\u{2014}[purged]\u{2026} \u{2022}[purged]~[purged]\u{A0}[purged]\u{200B}\u{3001}[purged]\u{FF09}"
        ),
        ("jo.ann@x.example jo-ann@x.example jo+ann@x.example", "jo.ann@x.example jo-ann@x.example jo+ann@x.example"),
        ("ann@x.example.org ann@x.example-2", "ann@x.example.org ann@x.example-2"),
        ("joann@x.example ann@x.example ann@x.example.org", "joann@x.example [purged] ann@x.example.org"),
        ("o'brien+SALES@x.example", "[purged]"),
        ("brien+sales@x.example", "brien+sales@x.example"),
        ("J\u{FC}rgen@x.example j\u{FC}rgen@x.example", "[purged] [purged]"),
        ("_und@x.example", "[purged]"),
        ("cnt_Ann1 cnt_ann1 cnt_Ann12 xcnt_Ann1 cnt_Ann1.", "[purged] cnt_ann1 cnt_Ann12 xcnt_Ann1 [purged]."),
        ("https://app.example/ngmt_Gone1?x=1", "https://app.example/[purged]?x=1"),
        (
            "a/ngmt_Gone1.mp4 rec-ngmt_Gone1-part2 ngmt_Gone1_audio call.ngmt_Gone1.Then",
            "a/[purged].mp4 rec-[purged]-part2 [purged]_audio call.[purged].Then"
        ),
        ("ann@x", "ann@x"),
        ("@x.example ann@ ann@@x.example", "@x.example ann@ ann@@x.example"),
        ("", ""),
        ("\u{FC}nn@x.example ann@x.example\u{1}ann@x.example", "\u{FC}nn@x.example [purged]\u{1}[purged]"),
    ]

    private static func database() async throws -> TestDatabase {
        let database = try await TestDatabase()
        let values = purged.map { "(suppression_key('\($0)', '\($1.replacing("'", with: "''"))'), '\($0)', '')" }
        try await database.run("INSERT INTO suppressions (key, kind, _with) VALUES " + values.joined(separator: ","))
        return database
    }

    private static func quoted(_ text: String) -> String { "'" + text.replacing("'", with: "''") + "'" }

    @Test func wholeIdsAndAddressesAreTakenOutOfText() async throws {
        let database = try await Self.database()
        for (source, redacted) in Self.texts {
            let found = try await database.value("SELECT redacted(\(Self.quoted(source))::text)")
            #expect(found == redacted)
        }
        #expect(try await database.value("SELECT redacted(NULL::text) IS NULL") == "t")
        await database.drop()
    }

    /// The same in a string of a document, behind every escape that JSON has.
    @Test func andOutOfJSON() async throws {
        let database = try await Self.database()
        for (source, redacted) in Self.texts where !source.contains("\u{1}") {
            let (before, after) = (Self.quoted(source), Self.quoted(redacted))
            let escapes = ["", "\\n", "\\t", "\\\\", "\\\"", "\\/", "\\b", "\\u0001", "\\u00e9 "]
            for escape in escapes {
                let document = { (text: String) in
                    "format('[%s, {\"a\": %s}]', to_json('x'::text), '\"\(escape)' || substr(to_json(\(text)::text)::text, 2))::jsonb"
                }
                let found = try await database.value(
                    "SELECT without(d, purged_of(purgeable(marked(d)))) = \(document(after)) FROM (SELECT \(document(before)) AS d) AS t"
                )
                #expect(found == "t", "\(escape)\(source)")
            }
        }
        await database.drop()
    }

    /// Of what is written now: a hash of the key's own, and none of another database's.
    @Test func aHashIsKeyed() async throws {
        let (one, other) = (try await TestDatabase(), try await TestDatabase())
        // Both are copies of one template.
        try await other.run("UPDATE control SET _hash_key = gen_random_uuid()::text")
        let key = "SELECT suppression_key('email', 'Ann@x.example ')"
        #expect(try await one.value(key) == one.value("SELECT suppression_key('email', 'ann@x.example')"))
        #expect(try await one.value(key) != other.value(key))
        #expect(try await one.value(key) != one.value("SELECT suppression_key('contact', 'ann@x.example')"))
        await one.drop()
        await other.drop()
    }
}
