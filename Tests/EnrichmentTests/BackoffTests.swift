import Enrichment
import TestKit
import Testing

struct BackoffTests {
    @Test(arguments: [
        (1, 1.0), (2, 2), (3, 4), (4, 8), (10, 512), (11, 600), (12, 600), (41, 600), (1_000, 600), (.max, 600),
        (0, 1), (-5, 1),
    ])
    func theLongestWaitDoublesUpToTheCap(_ attempt: Int, _ seconds: Double) {
        #expect(Backoff().ceiling(attempt: attempt) / .seconds(1) == seconds)
    }

    @Test(
        arguments: [Duration.milliseconds(1), .seconds(3), .seconds(86_400), .seconds(1_000_000_000)],
        [1, 2, 40, 41, 200])
    func noBaseAndNoAttemptOverflow(_ base: Duration, _ attempt: Int) {
        let backoff = Backoff(base: base, cap: .seconds(600))
        #expect(backoff.ceiling(attempt: attempt) <= .seconds(600))
        #expect(backoff.ceiling(attempt: attempt) >= min(base, .seconds(600)))
    }

    @Test func aWaitLiesBetweenNearlyNothingAndItsCeiling() {
        var random = SeededRandom(seed: TruthSeed.draw("aWaitLiesBetween"))
        for attempt in 1...20 {
            let waits = (0..<500).map { _ in Backoff().delay(attempt: attempt, using: &random) }
            let ceiling = Backoff().ceiling(attempt: attempt)
            #expect(waits.allSatisfy { $0 >= .milliseconds(50) && $0 <= ceiling })
            // Full jitter: jobs that failed together come back over the whole time.
            #expect(waits.contains { $0 < ceiling / 4 } && waits.contains { $0 > ceiling * 3 / 4 })
        }
    }

    @Test func aTinyCapStillWaitsALittle() {
        var random = SeededRandom(seed: 1)
        let backoff = Backoff(base: .milliseconds(1), cap: .milliseconds(2))
        #expect(backoff.delay(attempt: 9, using: &random) == .milliseconds(50))
    }
}
