import AskElephant

/// When requests may leave: the side of the ``Governor`` and of whoever sends.
extension JobBoard {
    /// Waits for the turn of a request that is not the first of its job; false if the worker stops before it comes.
    ///
    /// - Parameter isFirst: what others wait for goes before them.
    func takeTurn(isFirst: Bool = false) async -> Bool {
        await withCheckedContinuation {
            paced.insert($0, at: isFirst ? 0 : paced.endIndex)
            giveTurns()
        }
    }

    /// Hands out the turns that have come, one after the other: who is slow to notice does not lose its turn to others.
    func giveTurns() {
        while let first = paced.first {
            switch pace.nextOfJob(.now) {
            case .nothing:
                noteSend()
                paced.removeFirst()
                first.resume(returning: true)
            case _ where isStopping:
                paced.removeFirst()
                first.resume(returning: false)
            case .time(let time): return wakeSenders(at: time)
            case .turns: return wakeGovernor()
            }
        }
    }

    /// The same for what is no job: while there is a limit, jobs that wait go first, for so long at most.
    func takeTurnBehindJobs() async -> Bool {
        let end = ContinuousClock.now + .seconds(10)
        while !isStopping, pace.isLimited || pace.isCapped, window.unsentCount(.live) + window.unsentCount(.normal) > 0,
            .now < end
        {
            try? await Task.sleep(for: .milliseconds(100))
        }
        return await takeTurn() && !isStopping
    }

    /// What the next request waits for, once one does. Nil once the worker stops.
    func turnsNeeded() async -> Pace.Need? {
        while !isStopping {
            if let need = pace.need(.now), !paced.isEmpty || hasWork { return need }
            await withCheckedContinuation { governor = $0 }
        }
        return nil
    }

    private var hasWork: Bool { !isHeld && window.unsentCount > 0 }

    func grant(_ turns: Int, from start: ContinuousClock.Instant, every step: Duration) {
        pace.grant(turns, from: start, every: step)
        wakeSenders()
    }

    /// The API answered: it is there, whatever it said.
    func accepted() {
        let wasAway = pace.isAway
        pace.accepted(.now)
        if wasAway { wakeClaimer() }
        wakeSenders()
    }

    /// A 429 for a request that was sent then: whether no limit was known before, and for the first of an event how many
    /// requests went well in the second before.
    func rateLimited(sent: ContinuousClock.Instant, after: Duration) -> (isNew: Bool, accepted: Int?) {
        let isNew = !pace.isLimited
        return (isNew, pace.limited(sent: sent, after: after, .now))
    }

    /// The same for a 429 that another worker met.
    func heardOfLimit(
        at time: ContinuousClock.Instant, pausedUntil end: ContinuousClock.Instant?
    ) -> (isNew: Bool, accepted: Int?) {
        // Who waits for turns that the pause postpones has to wait for its end instead: nothing else would wake them.
        defer { wakeSenders() }
        let isNew = !pace.isLimited
        return (isNew, pace.heard(limitedAt: time, pausedUntil: end))
    }

    /// No limit is known any more: true if one was.
    func liftLimit() -> Bool {
        defer { wakeSenders() }
        return pace.unlimited(.now)
    }

    /// The API is away: nothing is sent but trials, and nothing is kept waiting here.
    func loseAPI() {
        pace.lost()
        giveBackWaiting(.api)
        wakeWriters()
    }

    var isAPIAway: Bool { pace.isAway }

    /// A request failed by the API's fault.
    func noteAPIFailure() { apiFailedAt = .now }

    func hasAPIFailed(within time: Duration) -> Bool { apiFailedAt.map { .now - $0 < time } ?? false }
    var isPaused: Bool { pace.isPaused(.now) }
}
