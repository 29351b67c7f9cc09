import Enrichment
import Testing

@testable import engagement_worker

/// Numbers as people see them.
struct TerminalTests {
    @Test func onlyNothingIsAtTheBottomOfALine() {
        #expect(Spark.line([]) == "")
        #expect(Spark.line([0, 0.001, 50, 100, nil]) == "▁▂▅█ ")
        #expect(Spark.line([0, 0]) == "▁▁")
        #expect(Spark.line([nil, 7]) == " █")
    }

    @Test func aBarIsFullOnlyForAllAndEmptyOnlyForNone() {
        #expect(Spark.bar(0, width: 4) == "░░░░" && Spark.bar(1, width: 4) == "████")
        #expect(Spark.bar(0.001, width: 4) == "█░░░" && Spark.bar(0.999, width: 4) == "███░")
        #expect(Wording.percent(0) == "0 %" && Wording.percent(1) == "100 %")
        #expect(
            Wording.percent(0.0001) == "<1 %" && Wording.percent(0.9999) == ">99 %" && Wording.percent(0.5) == "50 %")
    }

    @Test func timesAreInTheirLargestUnit() {
        let cases: [(Double, String)] = [
            (-1, "0 s"), (0.84, "0.8 s"), (9.99, "10.0 s"), (42.9, "42 s"), (119, "119 s"), (120, "2 min"),
            (599.6, "10 min"), (7199, "120 min"),
            (7200, "2 h"), (172_799, "48 h"), (172_800, "2 d"),
        ]
        for (seconds, text) in cases { #expect(Wording.seconds(seconds) == text) }
    }

    @Test func countsAreGroupedAndBounded() {
        #expect([0, 999, 1_000, 1_234_567, -1_000].map(Wording.count) == ["0", "999", "1,000", "1,234,567", "-1,000"])
        #expect(Wording.bounded(10_000) == "10,000" && Wording.bounded(10_001) == "10,000+")
    }
}
