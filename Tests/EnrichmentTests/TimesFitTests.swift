import Foundation
import Postgres
import TestKit
import Testing

/// Times that fit are cast without another look: whatever fits must be a time by the strict rule as well, and the same one.
struct TimesFitTests {
    /// Where a document has times.
    private static let places = [
        "{\"created_at\":X}", "{\"updated_at\":X}", "{\"engagement_at\":X}", "{\"start_at\":X}", "{\"end_at\":X}",
        "{\"owner\":{\"created_at\":X}}", "{\"owner\":{\"updated_at\":X}}", "{\"owner\":{\"last_activity_at\":X}}",
        "{\"action_items\":[{},{\"due_at\":X}]}", "{\"action_items\":[{\"completed_at\":X}]}",
        "{\"action_items\":[{\"created_at\":X}]}", "{\"action_items\":[{\"updated_at\":X}]}",
        "{\"signals\":[{\"created_at\":X}]}", "{\"signals\":[5,{\"updated_at\":X}]}",
        "{\"tags\":[{\"created_at\":X}]}", "{\"tags\":[{\"updated_at\":X}]}",
    ]

    @Test func whatFitsIsAStrictTimeAndTheSame() async throws {
        let seed = ProcessInfo.processInfo.environment["TEST_SEED"].flatMap(UInt64.init) ?? .random(in: 1...1_000_000)
        print("seed \(seed)")
        var random = Draws(state: seed)
        let texts = (0..<20_000).map { _ in random.almostATime() }
        try await withTestDatabase { database in
            let connection = try await database.connect()
            let statement = Statement(
                name: "times_fit_test",
                sql: """
                    SELECT t.text, t.strict IS NOT NULL AS is_strict, t.fits,
                           CASE WHEN t.fits THEN json_time(to_jsonb(t.text), true) = t.strict END AS is_same
                    FROM (SELECT text, json_timestamp(to_jsonb(text)) AS strict, are_times(json_times(jsonb_build_object('created_at', text))) AS fits
                          FROM unnest($1::text[]) AS text OFFSET 0) AS t
                    """)
            let rows = try await connection.query(statement, [.texts(texts)])
            await connection.close()
            var (fitting, strict) = (0, 0)
            for row in rows {
                let (text, isStrict) = (try row.text("text"), try row.boolean("is_strict"))
                if isStrict { strict += 1 }
                guard try row.boolean("fits") else { continue }
                fitting += 1
                let isSame = try row.boolean("is_same")
                #expect(isStrict && isSame, "\(text)")
            }
            print("\(fitting) of \(strict) strict times fit, of \(rows.count) texts")
            #expect(fitting > 1_000 && rows.count - strict > 1_000)
            // Nearly all of them: what does not is the 29th of February, a leap second, an early year.
            #expect(fitting * 10 > strict * 9)
        }
    }

    @Test func everyPlaceIsLookedAt() async throws {
        try await withTestDatabase { database in
            for place in Self.places {
                for (value, fits) in [
                    ("null", "true"), ("\"2026-11-29T07:32:25Z\"", "true"), ("\"now\"", "false"), ("7", "false"),
                    ("\"2026-02-30T07:32:25Z\"", "false"), ("[\"2026-11-29T07:32:25Z\"]", "false"),
                    ("\"2026-11-29T07:32:25Z\\\", \\\"x\"", "false"),
                ] {
                    let document = place.replacingOccurrences(of: "X", with: value)
                    let found = try await database.value("SELECT are_times(json_times('\(document)'))::text")
                    #expect(found == fits, "\(document)")
                }
            }
        }
    }
}

/// Draws from a seed.
private struct Draws: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        return state ^ (state >> 29)
    }

    /// A time whose parts lie in and around their ranges; one in five with a character exchanged.
    mutating func almostATime() -> String {
        func two(_ number: Int) -> String { String(format: "%02d", number) }
        let year = Int.random(in: 0..<20, using: &self) == 0 ? Int.random(in: 0...9_999, using: &self) : 2026
        let late = Int.random(in: 0..<8, using: &self) == 0
        let (month, day) = (
            Int.random(in: late ? 0...13 : 1...12, using: &self), Int.random(in: late ? 0...32 : 1...30, using: &self)
        )
        let (hour, minute, second) = (
            Int.random(in: late ? 0...25 : 0...23, using: &self), Int.random(in: late ? 0...61 : 0...59, using: &self),
            Int.random(in: late ? 0...61 : 0...59, using: &self)
        )
        let fraction = ["", ".5", ".123", ".123456", ".123456789", ".1234567890", "."].randomElement(using: &self)!
        let zone = ["Z", "Z", "Z", "+02:00", "-14:59", "+15:00", "", "z"].randomElement(using: &self)!
        var text =
            String(format: "%04d", year) + "-\(two(month))-\(two(day))T\(two(hour)):\(two(minute)):\(two(second))"
            + (late || Bool.random(using: &self) ? fraction : "") + (late ? zone : "Z")
        if Int.random(in: 0..<5, using: &self) == 0 {
            let place = text.index(text.startIndex, offsetBy: Int.random(in: 0..<text.count, using: &self))
            text.replaceSubrange(place...place, with: String("0123456789 -:TZ.+x".randomElement(using: &self)!))
        }
        return text
    }
}
