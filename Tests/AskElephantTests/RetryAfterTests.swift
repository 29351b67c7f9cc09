import AskElephant
import Testing

@Suite struct RetryAfterTests {
    private static let now: Int64 = 784_111_777  // 1994-11-06 08:49:37

    @Test(arguments: [
        ("Sun, 06 Nov 1994 08:49:37 GMT", 784_111_777), ("Sunday, 06-Nov-94 08:49:37 GMT", 784_111_777),
        ("Sun Nov  6 08:49:37 1994", 784_111_777), ("Wed Nov 16 08:49:37 1994", 784_975_777),
        ("Thu, 01 Jan 1970 00:00:00 GMT", 0), ("Thu, 29 Feb 2024 23:59:60 GMT", 1_709_251_200),
        ("Fri, 31 Dec 1999 23:59:59 GMT", 946_684_799), ("Tue, 29 Feb 2000 12:00:00 GMT", 951_825_600),
        ("Wed, 31 Dec 1969 23:59:59 GMT", -1), ("Fri, 31 Dec 9999 23:59:59 GMT", 253_402_300_799),
    ])
    func allThreeFormsAreRead(text: String, expected: Int64) {
        #expect(HTTPDate.parse(text, now: Self.now) == expected)
    }

    @Test(arguments: [
        "", "Sun", "Sun, 06 Nov 1994 08:49:37", "Sun, 06 Nov 1994 08:49:37 UTC", "Sun, 6 Nov 1994 08:49:37 GMT",
        "Xyz, 06 Nov 1994 08:49:37 GMT", "Sun, 06 Nox 1994 08:49:37 GMT", "Sun, 31 Nov 1994 08:49:37 GMT",
        "Thu, 29 Feb 1900 00:00:00 GMT", "Sun, 00 Nov 1994 08:49:37 GMT", "Sun, 06 Nov 1994 24:00:00 GMT",
        "Sun, 06 Nov 1994 08:60:37 GMT", "Sun, 06 Nov 1994 08:49:61 GMT", "Sun, 06 Nov 1994 08:49:37 GMT ",
        "1994-11-06T08:49:37Z", "Sunday, 06-Nov-1994 08:49:37 GMT", "Sun Nov 6 08:49:37 1994",
    ])
    func anythingElseIsNoDate(text: String) {
        #expect(HTTPDate.parse(text, now: Self.now) == nil)
    }

    @Test func shortYearLiesAtMostFiftyYearsAhead() {
        let in2026: Int64 = 1_790_000_000
        #expect(HTTPDate.parse("Saturday, 01-Jan-77 00:00:00 GMT", now: in2026) == 220_924_800)
        #expect(HTTPDate.parse("Wednesday, 01-Jan-76 00:00:00 GMT", now: in2026) == 3_345_062_400)
        #expect(HTTPDate.parse("Thursday, 01-Jan-26 00:00:00 GMT", now: in2026) == 1_767_225_600)
    }

    @Test(arguments: [
        ("3", 3), ("1", 1), ("0", 1), ("-5", 1), ("", 1), ("soon", 1), ("1.5", 2), ("2.0", 2), ("1.", 1), (".5", 1),
        ("1e9", 1), (" 7\t", 7), ("900", 900), ("901", 900), ("1000000000", 900), ("99999999999999999999999", 900),
        ("9223372036854775807.5", 900), ("+4", 1), ("٣", 1), ("3, 5", 1), ("0x10", 1),
    ])
    func secondsAreReadAndClamped(value: String, expected: Int) {
        #expect(RetryAfter.delay([value], date: nil, now: Self.now) == .seconds(expected))
    }

    @Test func dateIsMeasuredAgainstTheServersOwnClock() {
        let date = "Sun, 06 Nov 1994 08:49:47 GMT"
        #expect(RetryAfter.delay([date], date: nil, now: Self.now) == .seconds(10))
        #expect(RetryAfter.delay([date], date: "rubbish", now: Self.now) == .seconds(10))
        #expect(RetryAfter.delay([date], date: "Sun, 06 Nov 1994 08:49:17 GMT", now: Self.now) == .seconds(30))
        #expect(RetryAfter.delay([date], date: "Sun, 06 Nov 1994 08:50:00 GMT", now: Self.now) == .seconds(1))
        #expect(RetryAfter.delay(["Fri, 31 Dec 9999 23:59:59 GMT"], date: nil, now: Self.now) == .seconds(900))
    }

    @Test func longestOfSeveralCounts() {
        #expect(RetryAfter.delay([], date: nil, now: Self.now) == .seconds(1))
        #expect(RetryAfter.delay(["2", "rubbish", "5"], date: nil, now: Self.now) == .seconds(5))
        let date = "Sun, 06 Nov 1994 08:49:47 GMT"
        #expect(RetryAfter.delay(["2", date], date: nil, now: Self.now) == .seconds(10))
    }

    @Test(arguments: [UInt64](1...20)) func noHeaderEndsOutsideTheBounds(seed: UInt64) {
        var random = SeededRandom(seed: seed)
        let alphabet = Array("0123456789.-+ ,:SunNovGMT\u{0}é")
        for _ in 0..<500 {
            let count = Int.random(in: 0..<30, using: &random)
            let text = String((0..<count).map { _ in alphabet.randomElement(using: &random)! })
            let delay = RetryAfter.delay([text], date: text, now: Int64.random(in: 0...4_000_000_000, using: &random))
            #expect(delay >= RetryAfter.shortest && delay <= RetryAfter.longest, "seed \(seed): \(text)")
        }
    }
}
