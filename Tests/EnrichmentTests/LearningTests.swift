import AskElephant
import Testing

@testable import Enrichment

/// Who may send while something new is being learned.
struct LearningTests {
    private let start = ContinuousClock.now
    private let wanted: Set<Expand> = [.companies, .contacts, .tags]

    private func at(_ seconds: Int) -> ContinuousClock.Instant { start + .milliseconds(seconds) }

    private func known() -> Taught {
        let learning = Taught(wanted)
        learning.know()
        return learning
    }

    private func learner(_ turn: Learning.Turn) throws -> Learning.Learner {
        guard case .learn(let learner) = turn else { throw Unexpected(turn: turn) }
        return learner
    }

    private struct Unexpected: Error { let turn: Learning.Turn }

    @Test func theFirstRequestOfAnUnknownCredentialGoesOutAlone() throws {
        let learning = Taught(wanted)
        let first = try #require(learning.begin())
        #expect(learning.isBusy && learning.begin() == nil && learning.beginComparison() == nil)
        learning.ended(first)
        // It was private, say, and told nothing.
        let second = try #require(learning.begin())
        #expect(second != first)
        learning.know()
        learning.ended(second)
        #expect(!learning.isBusy && learning.begin() == nil)
    }

    /// A learner whose request hangs is followed by another after five seconds; its own end then ends nothing.
    @Test func aLearnerThatHangsIsFollowedByAnother() throws {
        var learning = Learning(wanted: wanted)
        let begun = learning.begin(start)
        let first = try #require(begun)
        let early = learning.begin(start + .seconds(4))
        #expect(early == nil)
        let late = learning.begin(start + .seconds(5))
        let second = try #require(late)
        #expect(learning.isBusy(start + .seconds(9)))
        learning.ended(first)
        #expect(learning.isBusy(start + .seconds(9)))
        learning.ended(second)
        #expect(!learning.isBusy(start + .seconds(9)))
    }

    /// A slow API is no reason for a second one: each answer gives the learner its time anew.
    @Test func aLearnerThatIsAnsweredStaysTheOnlyOne() throws {
        var learning = Learning(wanted: wanted)
        let begun = learning.begin(start)
        let learner = try #require(begun)
        for answer in 1...12 {
            learning.progressed(learner, now: start + .seconds(4 * answer))
            #expect(learning.isBusy(start + .seconds(4 * answer + 4)))
        }
        let next = learning.begin(start + .seconds(4 * 12 + 5))
        #expect(next != nil)
        learning.progressed(learner, now: start + .seconds(100))
        #expect(learning.isBusy(start + .seconds(4 * 12 + 6)) && !learning.isBusy(start + .seconds(100)))
    }

    @Test func oneOfManyThatAreRefusedLearnsAndTheOthersAskAgain() throws {
        let learning = known()
        let learner = try learner(learning.refused(wanted, sent: at(0), now: at(1)))
        for _ in 0..<63 { #expect(learning.refused(wanted, sent: at(0), now: at(1)) == .wait) }
        #expect(learning.setDenied([.contacts]))
        learning.ended(learner)
        for _ in 0..<63 { #expect(learning.refused(wanted, sent: at(0), now: at(2)) == .askAgain) }
        #expect(learning.allowed == [.companies, .tags])
    }

    @Test func theComparisonsDeliveryLetsEverybodyGoOn() throws {
        let learning = known()
        let learner = try learner(learning.refused(wanted, sent: at(0), now: at(2)))
        #expect(learning.beginComparison() == learner)
        #expect(learning.beginComparison() == nil, "one is enough")
        learning.delivered(wanted, sent: at(3))
        #expect(!learning.isBusy)
        #expect(learning.refused(wanted, sent: at(1), now: at(4)) == .goOn)
        // What was refused after that is news.
        _ = try self.learner(learning.refused(wanted, sent: at(5), now: at(6)))
    }

    @Test func whatWasUnderWayAtTheRefusalProvesNothing() throws {
        let learning = known()
        _ = try learner(learning.refused(wanted, sent: at(0), now: at(2)))
        learning.delivered(wanted, sent: at(1))
        #expect(learning.isBusy)
        // Nor does one that was asked for less.
        learning.delivered([.tags], sent: at(3))
        #expect(learning.isBusy)
    }

    @Test func aComparisonThatToldNothingMakesRoomForAnother() throws {
        let learning = known()
        let learner = try learner(learning.refused(wanted, sent: at(0), now: at(1)))
        #expect(learning.beginComparison() != nil)
        learning.endComparison(with: learner)
        #expect(learning.beginComparison() == learner)
        learning.ended(learner)
        let next = try self.learner(learning.refused(wanted, sent: at(2), now: at(3)))
        #expect(learning.beginComparison() == next)
        // The old comparison comes home late.
        learning.endComparison(with: learner)
        #expect(learning.beginComparison() == nil)
    }

    @Test func aProofIsVoidOnceOtherPartsAreDenied() throws {
        let learning = known()
        _ = try learner(learning.refused(wanted, sent: at(0), now: at(1)))
        learning.delivered(wanted, sent: at(2))
        #expect(learning.setDenied([.contacts]))
        #expect(!learning.setDenied([.contacts]))
        _ = try learner(learning.refused([.companies, .tags], sent: at(1), now: at(3)))
    }

    // MARK: Every short history

    /// Every sequence of five events; what must hold after each.
    @Test func everyShortHistoryKeepsThePromises() {
        var explorer = LearningExplorer(start: start)
        explorer.explore(LearningHistory(learning: Learning(wanted: LearningExplorer.wanted)), depth: 4)
        print("\(explorer.count) histories")
        #expect(explorer.count > 20_000)
        #expect(explorer.broken.isEmpty, "\(explorer.broken.prefix(5).joined(separator: "\n"))")
    }
}

/// A subject whose changes an expectation may ask for.
private final class Taught {
    private var learning: Learning

    init(_ wanted: Set<Expand>) { learning = Learning(wanted: wanted) }

    private let start = ContinuousClock.now

    var isBusy: Bool { learning.isBusy(start) }
    var allowed: Set<Expand> { learning.allowed }

    func begin() -> Learning.Learner? { learning.begin(start) }
    func beginComparison() -> Learning.Learner? { learning.beginComparison() }
    func endComparison(with learner: Learning.Learner) { learning.endComparison(with: learner) }
    func refused(
        _ parts: Set<Expand>, sent: ContinuousClock.Instant, now: ContinuousClock.Instant
    ) -> Learning.Turn { learning.refused(parts, sent: sent, now: now) }
    func delivered(_ parts: Set<Expand>, sent: ContinuousClock.Instant) { learning.delivered(parts, sent: sent) }
    func ended(_ learner: Learning.Learner) { learning.ended(learner) }
    func know() { learning.know() }
    func setDenied(_ parts: Set<Expand>) -> Bool { learning.setDenied(parts) }
}

/// What happened so far, kept apart from what ``Learning`` keeps.
private struct LearningHistory {
    var learning: Learning
    var events: [LearningExplorer.Event] = []
    /// All who ever learned; the last may still do so.
    var learners: [Learning.Learner] = []
    var suspectSince: ContinuousClock.Instant?
    var isCompared = false
    var provenAt: ContinuousClock.Instant?
}

private struct LearningExplorer {
    static let wanted: Set<Expand> = [.contacts, .tags]

    enum Event: CaseIterable {
        case begin, beginComparison, endComparison, endOldComparison
        case refusedEarly, refusedNow, refusedLess
        case deliveredEarly, deliveredNow, deliveredLess
        case ended, endedOld, know, deny, grant
    }

    let start: ContinuousClock.Instant
    private(set) var count = 0
    private(set) var broken: [String] = []

    init(start: ContinuousClock.Instant) { self.start = start }

    mutating func explore(_ history: LearningHistory, depth: Int) {
        guard depth > 0 else { return }
        for event in Event.allCases {
            var next = history
            next.events.append(event)
            guard step(&next, event) else { continue }
            count += 1
            explore(next, depth: depth - 1)
        }
    }

    /// - Returns: false where the event cannot happen.
    private mutating func step(_ history: inout LearningHistory, _ event: Event) -> Bool {
        let now = start + .milliseconds(history.events.count)
        let wasBusy = history.learning.isBusy(start)
        switch event {
        case .begin:
            let new = history.learning.begin(start)
            check(new == nil || !wasBusy && !history.learning.isKnown, "began beside another", history)
            check(new != nil || wasBusy || history.learning.isKnown, "nobody began", history)
            if let new { history.learners.append(new) }
        case .beginComparison:
            let learner = history.learning.beginComparison()
            let isFree = wasBusy && history.suspectSince != nil && !history.isCompared
            check((learner != nil) == isFree, "comparison", history)
            check(learner == nil || learner == history.learners.last, "compared with another", history)
            if learner != nil { history.isCompared = true }
        case .endComparison, .endOldComparison:
            guard let learner = event == .endComparison ? history.learners.last : history.learners.first else {
                return false
            }
            history.learning.endComparison(with: learner)
            if wasBusy, learner == history.learners.last { history.isCompared = false }
            check(history.learning.isBusy(start) == wasBusy, "a comparison's end is nobody else's", history)
        case .refusedEarly: refused(&history, Self.wanted, sent: start, now)
        case .refusedNow: refused(&history, Self.wanted, sent: now, now)
        case .refusedLess: refused(&history, [.tags], sent: start, now)
        case .deliveredEarly: delivered(&history, Self.wanted, sent: start)
        case .deliveredNow: delivered(&history, Self.wanted, sent: now)
        case .deliveredLess: delivered(&history, [.tags], sent: now)
        case .ended, .endedOld:
            guard let learner = event == .ended ? history.learners.last : history.learners.first else { return false }
            history.learning.ended(learner)
            let isCurrent = learner == history.learners.last
            check(history.learning.isBusy(start) == (wasBusy && !isCurrent), "an end", history)
            if wasBusy, isCurrent { release(&history) }
        case .know: history.learning.know()
        case .deny, .grant:
            let parts: Set<Expand> = event == .deny ? [.contacts] : []
            let isNew = history.learning.denied != parts
            check(history.learning.setDenied(parts) == isNew, "news", history)
            if isNew { history.provenAt = nil }
            check(history.learning.isBusy(start) == wasBusy, "a denial ends nothing by itself", history)
        }
        check(history.learning.allowed.isDisjoint(with: history.learning.denied), "allowed and denied", history)
        return true
    }

    private mutating func refused(
        _ history: inout LearningHistory, _ parts: Set<Expand>, sent: ContinuousClock.Instant,
        _ now: ContinuousClock.Instant
    ) {
        let wasBusy = history.learning.isBusy(start)
        let isDenied = !parts.isDisjoint(with: history.learning.denied)
        let isProven = history.provenAt.map { $0 > sent } ?? false
        let turn = history.learning.refused(parts, sent: sent, now: now)
        switch turn {
        case .askAgain: check(isDenied, "asked again for nothing", history)
        case .goOn: check(!isDenied && isProven, "went on without proof", history)
        case .wait: check(!isDenied && !isProven && wasBusy, "waits for nobody", history)
        case .learn(let learner):
            check(!isDenied && !isProven && !wasBusy, "learns beside another", history)
            check(!history.learners.contains(learner), "a learner twice", history)
            history.learners.append(learner)
            history.suspectSince = now
            history.isCompared = false
        }
        check(
            history.learning.isBusy(start) == (wasBusy || turn == history.learners.last.map(Learning.Turn.learn)),
            "busy",
            history)
    }

    private mutating func delivered(
        _ history: inout LearningHistory, _ parts: Set<Expand>, sent: ContinuousClock.Instant
    ) {
        let wasBusy = history.learning.isBusy(start)
        let isWhole = parts.isSuperset(of: history.learning.allowed)
        let proves = wasBusy && isWhole && (history.suspectSince.map { sent >= $0 } ?? false)
        history.learning.delivered(parts, sent: sent)
        check(history.learning.isBusy(start) == (wasBusy && !proves), "a proof", history)
        guard proves else { return }
        release(&history)
        history.provenAt = sent
    }

    private func release(_ history: inout LearningHistory) {
        history.suspectSince = nil
        history.isCompared = false
    }

    private mutating func check(_ holds: Bool, _ what: String, _ history: LearningHistory) {
        if !holds { broken.append("\(what): \(history.events)") }
    }
}
