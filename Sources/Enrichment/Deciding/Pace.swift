/// When the next request may leave: pure. Finds the API's limit by itself, since none is documented (contract U-8).
///
/// Without a 429 there is no limit. A 429 stops everything for as long as it asks, and the rate that went well until then
/// becomes the limit; it grows again, slowly at first. After a minute without a 429 it is dropped.
struct Pace {
    private static let memory: Duration = .seconds(60)
    private static let caution: Duration = .seconds(10)

    /// Requests a second; nil: no limit is known.
    private(set) var limit: Double?
    private var pausedUntil: ContinuousClock.Instant?
    private var nextSend: ContinuousClock.Instant?
    private var lastLimited: ContinuousClock.Instant?
    private var lastGrowth: ContinuousClock.Instant?
    private var accepted = RecentCount()

    /// How long the next request has to wait; zero: not at all.
    mutating func wait(_ now: ContinuousClock.Instant) -> Duration {
        grow(now)
        let start = max(pausedUntil ?? now, nextSend ?? now)
        return max(.zero, start - now)
    }

    mutating func sent(_ now: ContinuousClock.Instant) {
        guard let limit else { return }
        let step = Duration.seconds(1 / limit)
        // What was not used is lost, but for one request: no burst after a silence.
        nextSend = max(nextSend ?? now, now - step) + step
    }

    mutating func accepted(_ now: ContinuousClock.Instant) { accepted.note(now) }

    /// A 429 for a request that was sent then. True if it is the first of an episode.
    mutating func limited(sent: ContinuousClock.Instant, after: Duration, _ now: ContinuousClock.Instant) -> Bool {
        pausedUntil = max(pausedUntil ?? now, now + after)
        // Requests that were on their way when the limit was met say nothing new.
        if let lastLimited, sent <= lastLimited { return false }
        lastLimited = now
        lastGrowth = now
        let wentWell = Double(accepted.perSecond(now))
        let isNew = limit == nil
        limit = max(1, min(limit ?? wentWell, wentWell) * 0.9)
        nextSend = nil
        return isNew
    }

    /// True once, when the limit was dropped.
    mutating func isRestored(_ now: ContinuousClock.Instant) -> Bool {
        guard limit != nil, let lastLimited, now - lastLimited > Self.memory else { return false }
        limit = nil
        nextSend = nil
        return true
    }

    private mutating func grow(_ now: ContinuousClock.Instant) {
        guard let limit, let lastLimited, let lastGrowth else { return }
        let seconds = (now - max(lastGrowth, pausedUntil ?? lastGrowth)) / .seconds(1)
        guard seconds > 0.1 else { return }
        self.limit = limit * (1 + seconds * (now - lastLimited < Self.caution ? 0.02 : 0.1))
        self.lastGrowth = now
    }
}

/// How many happened within the last second.
struct RecentCount {
    private var times: [ContinuousClock.Instant] = []
    private var head = 0

    mutating func note(_ now: ContinuousClock.Instant) { times.append(now) }

    mutating func perSecond(_ now: ContinuousClock.Instant) -> Int {
        let start = now - .seconds(1)
        while head < times.count, times[head] < start { head += 1 }
        if head > 4_096 {
            times.removeFirst(head)
            head = 0
        }
        return times.count - head
    }
}
