import Testing

@testable import Enrichment

/// When the next request may leave. Time is counted from an arbitrary start; nothing here waits.
struct PaceTests {
    private let start = ContinuousClock.now

    private func at(_ seconds: Double) -> ContinuousClock.Instant { start + .seconds(seconds) }

    // MARK: The beginning

    @Test func fewRequestsAreOutAtFirstAndEachAnswerLetsMoreGo() {
        let pace = Paced(concurrency: 64)
        #expect(pace.next(inFlight: 0, at(0)) == .nothing)
        pace.sent(at(0))
        #expect(pace.next(inFlight: 1, at(0)) == .nothing)
        #expect(pace.next(inFlight: 2, at(0)) == .time(at(0.1)))
        for _ in 0..<3 { pace.accepted(at(0)) }
        #expect(pace.next(inFlight: 2, at(0)) == .nothing)
        #expect(pace.next(inFlight: 3, at(0)) != .nothing)
    }

    @Test func answersThatDoNotComeStopNothing() {
        let pace = Paced(concurrency: 64)
        pace.sent(at(0))
        #expect(pace.next(inFlight: 9, at(0.79)) != .nothing)
        #expect(pace.next(inFlight: 9, at(0.81)) == .nothing)
        #expect(pace.next(inFlight: 63, at(6.3)) == .nothing)
    }

    /// However many are asked for at once, those that are out when the limit is met are a third of what went well.
    @Test(arguments: [5, 20, 100, 1_000]) func aLimitIsMetByFew(_ limit: Int) {
        let pace = Paced(concurrency: 1_024)
        var inFlight = 0
        var served = 0
        func fill() {
            while pace.next(inFlight: inFlight, at(0)) == .nothing {
                inFlight += 1
                pace.sent(at(0))
            }
        }
        while served < limit {
            fill()
            inFlight -= 1
            served += 1
            pace.accepted(at(0))
        }
        fill()
        #expect(inFlight <= 2 + limit / 3 + 1)
    }

    @Test func onceAllMayBeOutNothingWaits() {
        let pace = Paced(concurrency: 4)
        for _ in 0..<6 { pace.accepted(at(0)) }
        #expect(pace.next(inFlight: 3, at(0)) == .nothing)
    }

    @Test func aRequestThatIsNotTheFirstOfItsJobWaitsForNoAnswer() {
        let pace = Paced(concurrency: 64)
        #expect(pace.next(inFlight: 2, at(0)) != .nothing)
        #expect(pace.nextOfJob(at(0)) == .nothing)
    }

    // MARK: The limit

    @Test func a429StopsEverythingForAsLongAsItAsksAndThenTurnsAreNeeded() {
        let pace = Paced(concurrency: 64)
        for number in 0..<20 { pace.accepted(at(Double(number) / 20)) }
        #expect(pace.limited(sent: at(0.9), after: .seconds(3), at(1)) == 20)
        #expect(pace.next(inFlight: 0, at(1)) == .time(at(4)))
        #expect(pace.nextOfJob(at(3.9)) == .time(at(4)))
        #expect(pace.next(inFlight: 0, at(4)) == .turns(.turns))
        #expect(pace.nextOfJob(at(4)) == .turns(.turns))
    }

    @Test func onlyTheSecondBeforeTheLimitCounts() {
        let pace = Paced(concurrency: 64)
        for number in 0..<15 { pace.accepted(at(Double(number) / 5)) }
        #expect(pace.limited(sent: at(2.9), after: .seconds(1), at(2.9)) == 5)
    }

    @Test func requestsThatWereOutWhenTheLimitWasMetAreTheSameEvent() {
        let pace = Paced(concurrency: 64)
        #expect(pace.limited(sent: at(0.5), after: .seconds(1), at(1)) == 0)
        #expect(pace.limited(sent: at(0.9), after: .seconds(5), at(1.125)) == nil, "but the longest pause holds")
        #expect(pace.next(inFlight: 0, at(5)) == .time(at(6.125)))
        #expect(pace.limited(sent: at(6.2), after: .seconds(1), at(6.3)) == 0)
    }

    @Test func turnsLeaveAtEvenDistances() {
        let pace = Paced(concurrency: 64, isCapped: true)
        #expect(pace.next(inFlight: 0, at(0)) == .turns(.turns))
        pace.grant(3, from: at(1), every: .milliseconds(125))
        var left: [Double] = []
        for step in 0..<128 {
            let now = at(Double(step) / 64)
            while pace.next(inFlight: 0, now) == .nothing {
                left.append(Double(step) / 64)
                pace.sent(now)
            }
        }
        #expect(left == [1.0, 1.125, 1.25])
        #expect(pace.next(inFlight: 0, at(2)) == .turns(.turns))
    }

    /// The API was slow for a while, or the writers were, and less was sent than was allowed.
    @Test func unusedTurnsAreNoBurstLater() {
        let pace = Paced(concurrency: 64, isCapped: true)
        for second in 0..<60 {
            for tick in 0..<20 {
                let start = at(Double(second) + Double(tick) / 20)
                if pace.need(start) == .turns { pace.grant(5, from: start, every: .milliseconds(10)) }
            }
        }
        var sent = 0
        while pace.next(inFlight: 0, at(60)) == .nothing {
            pace.sent(at(60))
            sent += 1
        }
        #expect((5...10).contains(sent), "\(sent)")
        #expect(pace.need(at(60)) == .turns)
    }

    @Test func a429TakesTurnsBack() {
        let pace = Paced(concurrency: 64, isCapped: true)
        pace.grant(10, from: at(0), every: .zero)
        _ = pace.limited(sent: at(0), after: .seconds(1), at(0.1))
        #expect(pace.next(inFlight: 0, at(1.1)) == .turns(.turns))
    }

    @Test func anEventOfAnotherWorkerIsCountedOnce() {
        let pace = Paced(concurrency: 64)
        for number in 0..<10 { pace.accepted(at(Double(number) / 10)) }
        #expect(pace.heard(limitedAt: at(0.95), pausedUntil: at(1.95)) == 10)
        #expect(pace.next(inFlight: 0, at(1)) == .time(at(1.95)))
        // The same, told again a little off.
        #expect(pace.heard(limitedAt: at(0.96), pausedUntil: nil) == nil)
        #expect(pace.limited(sent: at(0.9), after: .seconds(1), at(1)) == nil)
        #expect(pace.heard(limitedAt: at(5), pausedUntil: at(6)) == 0)
    }

    @Test func whatWasAnsweredAfterAnEventIsNotOfIt() {
        let pace = Paced(concurrency: 64)
        for number in 0..<10 { pace.accepted(at(Double(number))) }
        #expect(pace.heard(limitedAt: at(5.5), pausedUntil: nil) == 1)
    }

    @Test func aLimitThatIsLiftedIsSaidOnceAndTheBeginningIsCarefulAgain() {
        let pace = Paced(concurrency: 64)
        for _ in 0..<1_000 { pace.accepted(at(0)) }
        #expect(!pace.unlimited(at(0)))
        _ = pace.limited(sent: at(0), after: .seconds(1), at(0))
        #expect(!pace.unlimited(at(1)), "that was seen before")
        #expect(pace.unlimited(at(300)))
        #expect(!pace.unlimited(at(300)))
        #expect(pace.next(inFlight: 2, at(2)) != .nothing)
        #expect(pace.next(inFlight: 1, at(2)) == .nothing)
    }

    @Test func aConfiguredLimitHoldsWithoutAnyOfTheAPI() {
        let pace = Paced(concurrency: 64, isCapped: true)
        #expect(pace.next(inFlight: 0, at(0)) == .turns(.turns))
        _ = pace.unlimited(at(0))
        #expect(pace.nextOfJob(at(0)) == .turns(.turns))
    }

    // MARK: An API that is away

    @Test func anAPIThatIsAwayIsTriedByTrialsOnly() {
        let pace = Paced(concurrency: 64)
        for _ in 0..<1_000 { pace.accepted(at(0)) }
        pace.lost()
        #expect(pace.next(inFlight: 0, at(1)) == .turns(.trial))
        pace.grant(1, from: at(1), every: .zero)
        #expect(pace.next(inFlight: 0, at(1)) == .nothing)
        pace.sent(at(1))
        #expect(pace.next(inFlight: 0, at(1)) == .turns(.trial))
    }

    @Test func anAPIThatIsAwayIsNotTriedBeforeAPauseIsOver() {
        let pace = Paced(concurrency: 64)
        _ = pace.limited(sent: at(0), after: .seconds(5), at(0))
        pace.lost()
        #expect(pace.next(inFlight: 0, at(1)) == .time(at(5)))
        #expect(pace.next(inFlight: 0, at(5)) == .turns(.trial))
    }

    @Test func anAPIThatIsBackIsNotStormed() {
        let pace = Paced(concurrency: 64)
        for _ in 0..<1_000 { pace.accepted(at(0)) }
        pace.lost()
        pace.accepted(at(2))
        #expect(!pace.isAway)
        #expect(pace.next(inFlight: 1, at(2)) == .nothing)
        #expect(pace.next(inFlight: 2, at(2)) != .nothing)
    }
}

/// A pace whose changes an expectation may ask for.
private final class Paced {
    private var pace: Pace

    init(concurrency: Int, isCapped: Bool = false) { pace = Pace(concurrency: concurrency, isCapped: isCapped) }

    var isAway: Bool { pace.isAway }

    func next(inFlight: Int, _ now: ContinuousClock.Instant) -> Pace.Wait { pace.next(inFlight: inFlight, now) }
    func nextOfJob(_ now: ContinuousClock.Instant) -> Pace.Wait { pace.nextOfJob(now) }
    func sent(_ now: ContinuousClock.Instant) { pace.sent(now) }
    func accepted(_ now: ContinuousClock.Instant) { pace.accepted(now) }
    func limited(sent: ContinuousClock.Instant, after: Duration, _ now: ContinuousClock.Instant) -> Int? {
        pace.limited(sent: sent, after: after, now)
    }
    func heard(limitedAt time: ContinuousClock.Instant, pausedUntil end: ContinuousClock.Instant?) -> Int? {
        pace.heard(limitedAt: time, pausedUntil: end)
    }
    func unlimited(_ now: ContinuousClock.Instant) -> Bool { pace.unlimited(now) }
    func lost() { pace.lost() }
    func need(_ now: ContinuousClock.Instant) -> Pace.Need? { pace.need(now) }
    func grant(_ count: Int, from start: ContinuousClock.Instant, every step: Duration) {
        pace.grant(count, from: start, every: step)
    }
}
