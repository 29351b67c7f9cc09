/// When the next request may leave: pure. None of the API's limits is documented (contract U-8), so they are found.
///
/// At first few requests are out at a time, and each answer lets more go, as time does: a limit is met by few of them, and an
/// API that comes back is not stormed. A 429 stops everything for as long as it asks. From then on requests leave by turns, which
/// Postgres hands out to all workers of the credential. An API that is away is tried by one request of all workers a second.
struct Pace {
    /// What the next request has to wait for.
    enum Wait: Equatable {
        case nothing
        case time(ContinuousClock.Instant)
        /// Turns of that kind, from Postgres.
        case turns(Need)
    }

    /// What is to be asked of Postgres.
    enum Need: Equatable {
        case turns
        /// One request that tries whether the API is back.
        case trial
    }

    /// The configured limit: then requests leave by turns always.
    let isCapped: Bool
    private static let foresight: Duration = .milliseconds(25)
    private static let patience: Duration = .milliseconds(50)
    private static let freshness: Duration = .seconds(10)

    private(set) var isLimited = false
    private(set) var isAway = false
    private var opening = Opening()
    private let concurrency: Int
    private var pausedUntil: ContinuousClock.Instant?
    private var turns: [Turns] = []
    /// Everything that was sent before is known to have met the limit.
    private var lastLimited: ContinuousClock.Instant?
    private var accepted = RecentCount()

    init(concurrency: Int, isCapped: Bool = false) {
        self.concurrency = concurrency
        self.isCapped = isCapped
    }

    /// What the next job has to wait for, with so many out.
    func next(inFlight: Int, _ now: ContinuousClock.Instant) -> Wait {
        if isAway, !isPaused(now) { return turn(.trial, now) }
        let next = nextOfJob(now)
        guard next == .nothing, !isLimited, inFlight < concurrency else { return next }
        return opening.opens(inFlight, now).map { .time($0) } ?? .nothing
    }

    func isPaused(_ now: ContinuousClock.Instant) -> Bool { pausedUntil.map { now < $0 } ?? false }

    /// What a request has to wait for that is not the first of its job: it takes no place of another job.
    func nextOfJob(_ now: ContinuousClock.Instant) -> Wait {
        if let pausedUntil, now < pausedUntil { return .time(pausedUntil) }
        guard isLimited || isCapped, !isAway else { return .nothing }
        return turn(.turns, now)
    }

    private func turn(_ need: Need, _ now: ContinuousClock.Instant) -> Wait {
        guard let next = turns.first?.next else { return .turns(need) }
        return next <= now ? .nothing : .time(next)
    }

    /// What to ask for now, so that the next turns are here when the last of these has left.
    func need(_ now: ContinuousClock.Instant) -> Need? {
        if isPaused(now) { return nil }
        if isAway { return turns.isEmpty ? .trial : nil }
        guard isLimited || isCapped else { return nil }
        guard let first = turns.first, let last = turns.last else { return .turns }
        // Those that nobody uses must not pile up: all of them would leave at once when somebody can again.
        if first.next < now - Self.patience { return nil }
        return last.last < now + Self.foresight ? .turns : nil
    }

    mutating func sent(_ now: ContinuousClock.Instant) {
        guard !turns.isEmpty else { return opening.begin(now) }
        turns[0].removeFirst()
        if turns[0].count == 0 { turns.removeFirst() }
        opening.begin(now)
    }

    /// The API served, or said itself why not.
    mutating func accepted(_ now: ContinuousClock.Instant) {
        accepted.note(now)
        isAway = false
        opening.answered()
    }

    /// A 429 for a request that was sent then. What went well in the second before it, if this is the first of the event.
    mutating func limited(
        sent: ContinuousClock.Instant, after: Duration, _ now: ContinuousClock.Instant
    ) -> Int? {
        pausedUntil = max(pausedUntil ?? now, now + after)
        turns = []
        isLimited = true
        isAway = false
        if let lastLimited, sent <= lastLimited { return nil }
        lastLimited = now
        return accepted.count(from: now - .seconds(1), to: now)
    }

    /// Another worker met the limit then. What went well here in the second before, if that is news.
    mutating func heard(
        limitedAt time: ContinuousClock.Instant, pausedUntil end: ContinuousClock.Instant?
    ) -> Int? {
        isLimited = true
        if let end { pausedUntil = max(pausedUntil ?? end, end) }
        // It was told by another clock: what is this close is the event that is known.
        if let lastLimited, time <= lastLimited + .milliseconds(20) { return nil }
        lastLimited = time
        turns = []
        return accepted.count(from: time - .seconds(1), to: time)
    }

    /// There is no limit any more, says a look that may have been made just before the limit was met. True if that is news.
    mutating func unlimited(_ now: ContinuousClock.Instant) -> Bool {
        guard isLimited, lastLimited.map({ now - $0 > Self.freshness }) ?? true else { return false }
        isLimited = false
        opening = Opening()
        turns = []
        return true
    }

    /// So many requests may leave, the first one then, the others at even distances.
    mutating func grant(_ count: Int, from start: ContinuousClock.Instant, every step: Duration) {
        turns.append(Turns(count: count, next: start, step: step))
    }

    /// The API is away.
    mutating func lost() {
        isAway = true
        opening = Opening()
        turns = []
    }

    /// How many requests may be out at a time in the beginning.
    private struct Opening {
        private var size = 2.0
        private var since: ContinuousClock.Instant?

        mutating func begin(_ now: ContinuousClock.Instant) { since = since ?? now }

        /// It grows by a third each round trip.
        mutating func answered() { size += 1.0 / 3 }

        /// When one more may be out than those; nil: now. Answers may be slow, so time opens it too, ten a second.
        func opens(_ inFlight: Int, _ now: ContinuousClock.Instant) -> ContinuousClock.Instant? {
            let missing = Double(inFlight + 1) - size
            guard missing > 0 else { return nil }
            let time = (since ?? now) + .milliseconds(100) * missing
            return time <= now ? nil : time
        }
    }

    /// Times at even distances.
    private struct Turns {
        private(set) var count: Int
        private(set) var next: ContinuousClock.Instant
        let step: Duration

        var last: ContinuousClock.Instant { next + step * (count - 1) }

        mutating func removeFirst() {
            count -= 1
            next += step
        }
    }
}

/// How many happened lately, within the last seconds.
struct RecentCount {
    private static let memory = 65_536

    private var times: [ContinuousClock.Instant] = []
    private var head = 0

    mutating func note(_ now: ContinuousClock.Instant) {
        times.append(now)
        guard times.count > 2 * Self.memory else { return }
        times.removeFirst(Self.memory)
        head = max(0, head - Self.memory)
    }

    mutating func perSecond(_ now: ContinuousClock.Instant) -> Int {
        let start = now - .seconds(1)
        while head < times.count, times[head] < start { head += 1 }
        return times.count - head
    }

    func count(from start: ContinuousClock.Instant, to end: ContinuousClock.Instant) -> Int {
        let after = times.lastIndex { $0 < start }.map { $0 + 1 } ?? 0
        let before = times.lastIndex { $0 <= end }.map { $0 + 1 } ?? 0
        return max(0, before - after)
    }
}
