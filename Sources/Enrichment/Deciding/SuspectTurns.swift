/// When to look for jobs that have to run alone: four times a second. After a second of them it is the turn of the others, as
/// long as there are any.
struct SuspectTurns {
    /// How long they run one after the other at most.
    static let turn: Duration = .seconds(1)
    private static let interval: Duration = .milliseconds(250)

    private var next: ContinuousClock.Instant
    private var isOthersTurn = false

    init(_ now: ContinuousClock.Instant) { next = now }

    mutating func isTimeToLook(_ now: ContinuousClock.Instant) -> Bool {
        guard now >= next else { return false }
        next = now + Self.interval
        isOthersTurn = false
        return true
    }

    /// They had their turn.
    mutating func ran(_ now: ContinuousClock.Instant) {
        next = now + Self.turn
        isOthersTurn = true
    }

    /// A claim brought nothing. True if the turn was the others': then it is over, and it is time to look.
    mutating func nothingElseIsDue(_ now: ContinuousClock.Instant) -> Bool {
        guard isOthersTurn else { return false }
        next = now
        isOthersTurn = false
        return true
    }
}
