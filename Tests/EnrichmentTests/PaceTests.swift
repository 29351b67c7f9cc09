import Testing

@testable import Enrichment

/// When the next request may leave. Time is counted from an arbitrary start; nothing here waits.
struct PaceTests {
    private let start = ContinuousClock.now

    private func at(_ seconds: Double) -> ContinuousClock.Instant { start + .seconds(seconds) }

    /// A pace that met a 429 at one second, after so many requests within that second.
    private func limited(after accepted: Int, pause: Duration = .seconds(1)) -> Paced {
        let pace = Paced()
        for number in 0..<accepted { pace.accepted(at(Double(number) / Double(accepted))) }
        pace.limited(sent: at(0.9), after: pause, at(1))
        return pace
    }

    @Test func withoutA429NothingWaits() {
        let pace = Paced()
        for number in 0..<10_000 {
            let now = at(Double(number) / 10_000)
            #expect(pace.wait(now) == .zero)
            pace.sent(now)
            pace.accepted(now)
        }
        #expect(pace.limit == nil)
        #expect(!pace.isRestored(at(1_000)))
    }

    @Test func a429StopsEverythingForAsLongAsItAsks() {
        let pace = limited(after: 20, pause: .seconds(3))
        #expect(pace.wait(at(1)) == .seconds(3))
        #expect(pace.wait(at(3.5)) == .seconds(0.5))
        #expect(pace.wait(at(4)) == .zero)
    }

    @Test func whatWentWellInTheSecondBeforeIsTheLimit() throws {
        let first = limited(after: 20)
        #expect(first.limit == nil, "good answers may be on their way still")
        first.wait(at(2))
        #expect(try #require(first.limit) == 18)
        let pace = Paced()
        // Of these only the last five are within the second.
        for number in 0..<15 { pace.accepted(at(Double(number) / 5)) }
        #expect(pace.limited(sent: at(2.9), after: .seconds(1), at(2.9)))
        pace.wait(at(3.9))
        #expect(try #require(pace.limit) == 4.5)
    }

    @Test func thereIsAlwaysOneRequestASecond() throws {
        let none = limited(after: 0)
        none.wait(at(2))
        #expect(try #require(none.limit) == 1)
        let pace = limited(after: 3)
        for number in 1...20 {
            pace.limited(sent: at(Double(number) * 10), after: .seconds(1), at(Double(number) * 10))
            pace.wait(at(Double(number) * 10 + 1))
        }
        #expect(try #require(pace.limit) == 1)
    }

    /// Sixty-four were out when the first 429 came: theirs say nothing new, but the longest pause holds.
    @Test func the429sOfOneEpisodeCountOnce() throws {
        let pace = Paced()
        for _ in 0..<20 { pace.accepted(at(0.5)) }
        #expect(pace.limited(sent: at(0.2), after: .seconds(1), at(1)))
        for number in 1...63 {
            #expect(!pace.limited(sent: at(0.2), after: .seconds(number == 7 ? 4 : 1), at(1 + Double(number) / 1_000)))
        }
        #expect(pace.wait(at(2)) > .seconds(3.006) && pace.wait(at(2)) < .seconds(3.008))
        pace.wait(at(5.1))
        #expect(try #require(pace.limit) == 18)
    }

    @Test func aLaterEpisodeLowersTheLimitButIsNoNews() throws {
        let pace = limited(after: 20)
        pace.wait(at(2))
        for number in 0..<10 { pace.accepted(at(5 + Double(number) / 10)) }
        #expect(!pace.limited(sent: at(5.9), after: .seconds(1), at(6)))
        pace.wait(at(7))
        #expect(try #require(pace.limit) == 9)
    }

    @Test func requestsAreSpreadAndASilenceSavesNoneUp() {
        let pace = limited(after: 10)
        // Nobody wants to send until the fifth second.
        var sent: [Double] = []
        for millisecond in 5_000..<8_000 where pace.wait(at(Double(millisecond) / 1_000)) == .zero {
            pace.sent(at(Double(millisecond) / 1_000))
            sent.append(Double(millisecond) / 1_000)
        }
        #expect(sent.count { $0 < 6 } <= 11)
        #expect(sent.count >= 27)
        let gaps = zip(sent.dropFirst(2), sent.dropFirst()).map { $0 - $1 }
        #expect(gaps.allSatisfy { $0 > 0.08 }, "\(gaps)")
    }

    @Test func itGrowsSlowlyAtFirstAndFasterLater() throws {
        let pace = limited(after: 100)
        func limit(_ seconds: Double) throws -> Double {
            pace.wait(at(seconds))
            return try #require(pace.limit)
        }
        #expect(try limit(2) == 90)
        #expect(abs(try limit(3) - 91.8) < 0.01)
        for second in 4...10 { _ = try limit(Double(second)) }
        let early = try limit(10.9)
        #expect(early > 100 && early < 110)
        let late = try limit(11.9)
        #expect(late / early > 1.09 && late / early < 1.11)
    }

    @Test func itIsDroppedAMinuteAfterTheLast429AndSaysSoOnce() {
        let pace = limited(after: 20)
        #expect(!pace.isRestored(at(60)))
        pace.limited(sent: at(30), after: .seconds(1), at(30))
        #expect(!pace.isRestored(at(90)))
        #expect(pace.isRestored(at(91.5)))
        #expect(!pace.isRestored(at(92)))
        #expect(pace.limit == nil && pace.wait(at(92)) == .zero)
        #expect(pace.limited(sent: at(95), after: .seconds(1), at(95)), "the next one is news again")
    }

    /// An API that takes so many requests in any second, and whoever sends always has something to send.
    @Test(arguments: [1, 3, 10, 50, 300]) func itFindsAndKeepsToTheLimitOfAnAPI(_ perSecond: Int) {
        let pace = Paced()
        var flying: [(sent: Double, isAccepted: Bool)] = []
        var windowStart = -1.0
        var inWindow = 0
        var accepted = 0
        var refused = 0
        for millisecond in 0..<90_000 {
            let now = Double(millisecond) / 1_000
            while let first = flying.first, first.sent + 0.02 <= now {
                flying.removeFirst()
                if first.isAccepted {
                    pace.accepted(at(now))
                } else {
                    pace.limited(sent: at(first.sent), after: .seconds(1), at(now))
                }
            }
            while flying.count < 64, pace.wait(at(now)) == .zero {
                pace.sent(at(now))
                if now - windowStart >= 1 { (windowStart, inWindow) = (now, 0) }
                inWindow += 1
                flying.append((now, inWindow <= perSecond))
                guard millisecond >= 30_000 else { continue }
                if inWindow <= perSecond { accepted += 1 } else { refused += 1 }
            }
        }
        print("\(perSecond)/s: \(accepted / 60)/s accepted, \(refused) refused in a minute")
        #expect(accepted > perSecond * 60 / 2)
        #expect(refused <= max(30, accepted / 20))
    }
}

/// A pace whose changes an expectation may ask for.
private final class Paced {
    private var pace = Pace()

    var limit: Double? { pace.limit }

    @discardableResult
    func wait(_ now: ContinuousClock.Instant) -> Duration { pace.wait(now) }

    func sent(_ now: ContinuousClock.Instant) { pace.sent(now) }

    func accepted(_ now: ContinuousClock.Instant) { pace.accepted(now) }

    @discardableResult
    func limited(sent: ContinuousClock.Instant, after: Duration, _ now: ContinuousClock.Instant) -> Bool {
        pace.limited(sent: sent, after: after, now)
    }

    func isRestored(_ now: ContinuousClock.Instant) -> Bool { pace.isRestored(now) }
}
