import Testing

@testable import Enrichment

struct SuspectTurnsTests {
    private let start = ContinuousClock.now

    /// The milliseconds at which it is time, asked at each.
    private func looks(_ turns: inout SuspectTurns, _ range: Range<Int>) -> [Int] {
        range.filter { turns.isTimeToLook(start + .milliseconds($0)) }
    }

    @Test func theyAreLookedForFourTimesASecond() {
        var turns = SuspectTurns(start)
        let looks = looks(&turns, 0..<1_100)
        #expect(looks == [0, 250, 500, 750, 1_000])
    }

    @Test func afterThemItIsTheTurnOfTheOthersForAsLong() {
        var turns = SuspectTurns(start)
        let first = looks(&turns, 0..<1)
        turns.ran(start + .seconds(1))
        let second = looks(&turns, 1_000..<2_100)
        #expect(first == [0])
        #expect(second == [2_000])
    }

    @Test func othersThatHaveNothingDoNotKeepThemWaiting() {
        var turns = SuspectTurns(start)
        turns.ran(start)
        let ended = turns.nothingElseIsDue(start + .milliseconds(3))
        let looks = looks(&turns, 3..<200)
        // They were looked for and did not run: nobody has a turn that could be over.
        let endedAgain = turns.nothingElseIsDue(start + .milliseconds(200))
        #expect(ended)
        #expect(looks == [3])
        #expect(!endedAgain)
    }
}
