import Testing

@testable import AskElephant

@Suite struct ByteLedgerTests {
    @Test func entriesWaitInOrderOfArrival() {
        let ledger = Books(total: 20, entry: 10, largest: 100)
        #expect(ledger.enter(1))
        #expect(ledger.enter(2))
        #expect(!ledger.enter(3))
        #expect(!ledger.enter(4))
        #expect(ledger.leave(2) == [3])
        #expect(ledger.leave(1) == [4])
    }

    @Test func smallBodiesMakeRoomForOthers() {
        let ledger = Books(total: 20, entry: 10, largest: 100)
        _ = ledger.enter(1)
        _ = ledger.enter(2)
        #expect(!ledger.enter(3))
        #expect(ledger.shrink(1, to: 5) == [])
        #expect(ledger.shrink(2, to: 5) == [3])
        #expect(ledger.shrink(3, to: 50) == [])
        #expect(ledger.held == [1: 5, 2: 5, 3: 10])
    }

    @Test func onlyOneExceedsTheBudgetAtATime() {
        let ledger = Books(total: 20, entry: 10, largest: 100)
        _ = ledger.enter(1)
        _ = ledger.enter(2)
        #expect(ledger.grow(1, to: 50))
        #expect(ledger.grow(1, to: 100))
        #expect(!ledger.grow(2, to: 11))
        #expect(ledger.free == -90)
        #expect(ledger.leave(1) == [2])
        #expect(ledger.free == 9)
    }

    @Test func nextMayExceedOnceTheSumIsBackWithinTheBudget() {
        let ledger = Books(total: 40, entry: 10, largest: 100)
        _ = ledger.enter(1)
        _ = ledger.enter(2)
        #expect(ledger.grow(1, to: 60))
        #expect(!ledger.grow(2, to: 100))
        #expect(ledger.shrink(1, to: 25) == [2])
        #expect(ledger.free == 40 - 125)
    }

    @Test func bodiesThatArriveComeBeforeNewRequests() {
        let ledger = Books(total: 20, entry: 10, largest: 100)
        _ = ledger.enter(1)
        _ = ledger.enter(2)
        _ = ledger.grow(1, to: 30)
        #expect(!ledger.enter(3))
        #expect(!ledger.grow(2, to: 20))
        #expect(ledger.leave(1) == [2])
        #expect(ledger.leave(2) == [3])
    }

    @Test func whoStopsWaitingLetsTheNextPass() {
        let ledger = Books(total: 30, entry: 10, largest: 100)
        _ = ledger.enter(1)
        _ = ledger.enter(2)
        #expect(ledger.grow(1, to: 25))
        #expect(!ledger.grow(2, to: 40))
        #expect(!ledger.enter(3))
        #expect(ledger.shrink(1, to: 10) == [2])
        #expect(ledger.leave(2) == [3])
        #expect(ledger.enter(4))
        #expect(!ledger.enter(5))
        #expect(ledger.stopWaiting(5) == [])
        #expect(ledger.leave(4) == [])
    }

    /// Draws every kind of event in any order and checks after each that the bound holds and the books balance; then
    /// lets the holders finish and checks that nobody is left waiting.
    @Test(arguments: [UInt64](1...100)) func boundHoldsAndNobodyWaitsForEver(seed: UInt64) {
        var run = LedgerRun(seed: seed)
        for _ in 0..<1_000 {
            run.step()
            #expect(run.isBalanced, "seed \(seed)")
        }
        run.finish()
        #expect(run.ledger.isIdle, "seed \(seed)")
        #expect(run.ledger.free == LedgerRun.total, "seed \(seed)")
    }
}

/// A ledger that a test can change within an expectation.
private final class Books {
    private var ledger: ByteLedger

    init(total: Int, entry: Int, largest: Int) {
        ledger = ByteLedger(total: total, entry: entry, largest: largest)
    }

    var free: Int { ledger.free }
    var held: [UInt64: Int] { ledger.held }
    func enter(_ holder: UInt64) -> Bool { ledger.enter(holder) }
    func grow(_ holder: UInt64, to bytes: Int) -> Bool { ledger.grow(holder, to: bytes) }
    func shrink(_ holder: UInt64, to bytes: Int) -> [UInt64] { ledger.shrink(holder, to: bytes) }
    func leave(_ holder: UInt64) -> [UInt64] { ledger.leave(holder) }
    func stopWaiting(_ holder: UInt64) -> [UInt64] { ledger.stopWaiting(holder) }
}

private struct LedgerRun {
    static let total = 1_000
    static let entry = 100
    static let largest = 700

    var ledger = ByteLedger(total: total, entry: entry, largest: largest)
    private var random: SeededRandom
    private var waiting: Set<UInt64> = []
    private var running: Set<UInt64> = []
    private var last: UInt64 = 0
    private var servedRightly = true

    init(seed: UInt64) {
        random = SeededRandom(seed: seed)
    }

    var isBalanced: Bool {
        let sum = ledger.held.values.reduce(0, +)
        return servedRightly && sum == Self.total - ledger.free && sum <= Self.total + Self.largest
            && ledger.held.values.allSatisfy { $0 <= Self.largest } && ledger.waiting == waiting.count
            // Someone who waits is always waiting for someone who does not.
            && (waiting.isEmpty || !running.isEmpty)
    }

    mutating func step() {
        let holder = running.sorted().randomElement(using: &random)
        switch (Int.random(in: 0..<6, using: &random), holder) {
        case (0, _), (_, nil): enter()
        case (1, let holder?), (2, let holder?): grow(holder)
        case (3, let holder?): note(ledger.shrink(holder, to: Int.random(in: 0...Self.largest, using: &random)))
        case (4, let holder?): leave(holder)
        default: stopWaiting()
        }
    }

    mutating func finish() {
        while let holder = running.min() { leave(holder) }
    }

    private mutating func enter() {
        last += 1
        if ledger.enter(last) { running.insert(last) } else { waiting.insert(last) }
    }

    private mutating func grow(_ holder: UInt64) {
        guard !ledger.grow(holder, to: Int.random(in: 0...Self.largest, using: &random)) else { return }
        running.remove(holder)
        waiting.insert(holder)
    }

    private mutating func leave(_ holder: UInt64) {
        running.remove(holder)
        note(ledger.leave(holder))
    }

    /// As for a cancelled task: the wait ends, and then everything is given back.
    private mutating func stopWaiting() {
        guard let holder = waiting.sorted().randomElement(using: &random) else { return }
        waiting.remove(holder)
        note(ledger.stopWaiting(holder))
        note(ledger.leave(holder))
    }

    private mutating func note(_ served: [UInt64]) {
        servedRightly = servedRightly && Set(served).isSubset(of: waiting) && Set(served).count == served.count
        waiting.subtract(served)
        running.formUnion(served)
    }
}
