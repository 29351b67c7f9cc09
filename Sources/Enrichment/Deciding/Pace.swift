/// When the next request may leave: pure. Finds the API's limit by itself, since none is documented (contract U-8).
///
/// Without a 429 there is no limit. A 429 stops everything for as long as it asks; what went well in the second before it
/// is the limit then. It grows again, slowly at first, and is dropped after a minute without a 429.
struct Pace {
    private static let memory: Duration = .seconds(60)
    private static let caution: Duration = .seconds(10)

    /// Requests a second; nil: no limit is known.
    private(set) var limit: Double?
    private var pausedUntil: ContinuousClock.Instant?
    private var nextSend: ContinuousClock.Instant?
    private var lastLimited: ContinuousClock.Instant?
    private var lastGrowth: ContinuousClock.Instant?
    /// The first 429 of an episode whose limit is not settled yet: good answers may be on their way still.
    private var unsettled: ContinuousClock.Instant?
    private var accepted = RecentCount()

    /// How long the next request has to wait; zero: not at all.
    mutating func wait(_ now: ContinuousClock.Instant) -> Duration {
        if let pausedUntil, now < pausedUntil { return pausedUntil - now }
        settle(now)
        grow(now)
        return max(.zero, (nextSend ?? now) - now)
    }

    mutating func sent(_ now: ContinuousClock.Instant) {
        guard let limit else { return }
        let step = Duration.seconds(1 / limit)
        // What was not used is lost, but for one request: no burst after a silence.
        nextSend = max(nextSend ?? now, now - step) + step
    }

    mutating func accepted(_ now: ContinuousClock.Instant) { accepted.note(now) }

    /// A 429 for a request that was sent then. True if no limit was known before.
    mutating func limited(sent: ContinuousClock.Instant, after: Duration, _ now: ContinuousClock.Instant) -> Bool {
        pausedUntil = max(pausedUntil ?? now, now + after)
        // Requests that were on their way when the limit was met say nothing new.
        if let lastLimited, sent <= lastLimited { return false }
        let isNew = lastLimited == nil
        lastLimited = now
        unsettled = unsettled ?? now
        return isNew
    }

    /// True once, when the limit was dropped.
    mutating func isRestored(_ now: ContinuousClock.Instant) -> Bool {
        guard let last = lastLimited, now - max(last, pausedUntil ?? last) > Self.memory else { return false }
        self = Pace()
        return true
    }

    private mutating func settle(_ now: ContinuousClock.Instant) {
        guard let start = unsettled else { return }
        let wentWell = Double(accepted.count(since: start - .seconds(1)))
        limit = max(1, min(limit ?? wentWell, wentWell) * 0.9)
        unsettled = nil
        lastGrowth = now
        nextSend = now
    }

    private mutating func grow(_ now: ContinuousClock.Instant) {
        guard let limit, let lastLimited, let lastGrowth, now - lastGrowth > .milliseconds(100) else { return }
        let seconds = (now - lastGrowth) / .seconds(1)
        self.limit = limit * (1 + seconds * (now - lastLimited < Self.caution ? 0.02 : 0.1))
        self.lastGrowth = now
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

    func count(since start: ContinuousClock.Instant) -> Int {
        times.count - (times.lastIndex { $0 < start }.map { $0 + 1 } ?? 0)
    }
}
