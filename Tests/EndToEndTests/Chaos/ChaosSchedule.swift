import TestKit

/// When a chaos run does what: a pure function of its seed and length.
struct ChaosSchedule: Equatable, Sendable {
    struct Event: Equatable, Sendable {
        let at: Duration
        let fault: ChaosFault
        /// The worker that it is for, where it is for one.
        let slot: Int
        let lasts: Duration
        /// What else there is to choose: which scope, how many.
        let choice: Int
    }

    let seed: UInt64
    let length: Duration
    let slots: Int
    let events: [Event]

    /// The mean time from one fault to the next: several overlap most of the time.
    private static let pace = 900

    init(seed: UInt64, length: Duration) {
        self.seed = seed
        self.length = length
        slots = length > .seconds(100) ? 3 : 2
        var random = SeededRandom(seed: seed)
        var deck: [ChaosFault] = []
        var busyUntil: [ChaosFault.Resource: Int] = [:]
        var events: [Event] = []
        var at = 500
        let end = Int(length / .milliseconds(1))
        while at < end {
            // By the deck, so that each kind has its turn before any has its second.
            if deck.isEmpty { deck = ChaosFault.allCases.shuffled(using: &random) }
            let fault = deck.removeLast()
            let slot = Int.random(in: 0..<slots, using: &random)
            let lasts = Int.random(in: fault.length, using: &random)
            let resource = fault.resource(slot)
            let begin = max(at, busyUntil[resource] ?? 0)
            busyUntil[resource] = begin + lasts + 500
            if begin < end {
                events.append(
                    Event(
                        at: .milliseconds(begin), fault: fault, slot: slot, lasts: .milliseconds(lasts),
                        choice: Int.random(in: 0..<1_000, using: &random)))
            }
            at += Int.random(in: Self.pace / 3...Self.pace * 5 / 3, using: &random)
        }
        self.events = events.sorted { $0.at < $1.at }
    }

    /// The kinds that are drawn at all.
    var faults: Set<ChaosFault> { Set(events.map(\.fault)) }
}
