import TestKit

/// What people do meanwhile: they queue engagements, and engagements change. The same steps from the same seed.
struct ChaosWorkload: Sendable {
    struct Row: Sendable {
        enum Subject: Sendable, Equatable {
            case engagement(Int)
            case invalid(String)
        }

        let subject: Subject
        var reason: String?
        var priority = 0
        var delayMilliseconds = 0
    }

    enum Change: Sendable {
        case bump
        case makePrivate(Bool)
        case makeMissing(Bool)
        case makeGone(Bool)
    }

    struct Step: Sendable {
        var rows: [Row] = []
        var changes: [(number: Int, change: Change)] = []
    }

    /// How long a step takes.
    static let pace = Duration.milliseconds(100)

    private var random: SeededRandom
    private var count = 0

    init(seed: UInt64) { random = SeededRandom(seed: seed &+ 1) }

    /// Those that become private, missing or gone at times; the others only change.
    static func isWild(_ number: Int) -> Bool { number % 12 == 5 }

    private static let invalid = [
        "ngmt_../../v2/users?x=", "", "ngmt_", "NGMT_01ABC", "ngmt_a b", "x'; DROP TABLE enrichment_queue; --",
        "ngmt_" + String(repeating: "x", count: 3_000), "ngmt_é", "ngmt_a\nlevel=error",
    ]

    mutating func next() -> Step {
        var step = Step()
        for _ in 0..<Int.random(in: 1...12, using: &random) { step.rows.append(row()) }
        for _ in 0..<Int.random(in: 0...4, using: &random) where count > 0 { change(&step) }
        return step
    }

    private mutating func row() -> Row {
        if draw(2) { return Row(subject: .invalid(Self.invalid.randomElement(using: &random)!)) }
        var number = count
        if count > 0, draw(25) { number = Int.random(in: 0..<count, using: &random) } else { count += 1 }
        var row = Row(subject: .engagement(number))
        row.priority = [0, 0, 0, 5, -1].randomElement(using: &random)!
        if draw(15) { row.delayMilliseconds = Int.random(in: 100...3_000, using: &random) }
        return row
    }

    private mutating func change(_ step: inout Step) {
        let number = Int.random(in: 0..<count, using: &random)
        guard Self.isWild(number) else { return step.changes.append((number, .bump)) }
        let isSo = Bool.random(using: &random)
        let kind = Int.random(in: 0..<3, using: &random)
        step.changes.append((number, [.makePrivate(isSo), .makeMissing(isSo), .makeGone(isSo)][kind]))
        step.rows.append(Row(subject: .engagement(number), reason: kind == 2 && isSo ? "deleted" : "changed"))
    }

    private mutating func draw(_ percent: Int) -> Bool { Int.random(in: 0..<100, using: &random) < percent }
}
