import AskElephant
import Postgres

/// Claims while there is room and work, and sleeps by the bell when there is none.
struct Claimer: Sendable {
    /// How long without work before the worker says that it sleeps. Shorter, and a worker that keeps up would say so
    /// hundreds of times a second, which slows the inserters.
    private static let restlessness: Duration = .milliseconds(500)
    private static let longestGlance: Duration = .milliseconds(10)
    private static let fullLane: Duration = .milliseconds(50)
    /// After these the flag that we sleep has been seen by every insert; a bell missed in between is made good.
    private static let earlyLooks: [Duration] = [.milliseconds(50), .milliseconds(200), .seconds(1)]
    /// How long the flag holds; renewed well before, so that a crashed worker's runs out.
    private static let idleTime: Duration = .seconds(45)
    private static let bellInterval: Duration = .milliseconds(100)
    private static let longestSleep: Duration = .seconds(25)

    let board: JobBoard
    let queue: JobQueue
    let registry: WorkerRegistry
    let clock: DatabaseClock
    let bell: Bell
    let database: Database
    let report: Reporter
    let lease: Duration
    let pollInterval: Duration
    /// Ends the claiming once nothing is due and nothing is in hand.
    let once: Bool
    /// The parts that are wanted, if requests may ask whether anything changed.
    let conditionalParts: [Expand]?

    func run() async {
        var floors = Floors()
        var lastWork = ContinuousClock.now
        var suspects = SuspectTurns(.now)
        while let room = await board.room() {
            if suspects.isTimeToLook(.now), await runSuspects() {
                suspects.ran(.now)
                lastWork = .now
            }
            let hadFloors = floors.areAny
            guard let claimed = await claim(room, &floors) else { continue }
            if claimed > 0 {
                lastWork = .now
            } else if hadFloors {
                // Behind them there may be what was given back.
                continue
            } else if room.values.contains(0) {
                // A lane is full, so there may well be work: no bell tells when it has room.
                _ = await bell.wait(for: Self.fullLane)
                lastWork = .now
            } else if suspects.nothingElseIsDue(.now) {
                continue
            } else if once, await board.isEmpty, await hasSuspects == false {
                return await board.stop()
            } else if once || ContinuousClock.now - lastWork < Self.restlessness {
                _ = await bell.wait(for: Self.glance(after: ContinuousClock.now - lastWork))
            } else {
                await sleep(&floors)
                lastWork = .now
            }
        }
    }

    /// Soon after work there is often more, which is to wait little longer than it took to come.
    private static func glance(after pause: Duration) -> Duration {
        min(longestGlance, max(.milliseconds(1), pause / 32))
    }

    /// One claim; the number of rows, or nil when the database did not serve, after a pause.
    private func claim(_ room: [Lane: Int], _ floors: inout Floors) async -> Int? {
        do {
            let sent = ContinuousClock.now
            let claimed = try await queue.claim(room, from: floors.current(), lease: lease, on: database.claim)
            database.health.restored(role: "claim")
            if let reading = claimed.clock { await clock.note(reading, at: sent) }
            if !claimed.jobs.isEmpty { await clock.prepare() }
            floors.note(claimed.floors)
            await admit(claimed.jobs)
            return claimed.jobs.count
        } catch {
            if case .cancelled = error { return nil }
            database.health.lost(error, role: "claim")
            _ = await bell.wait(for: .milliseconds(Int.random(in: 200...1_000)))
            return nil
        }
    }

    /// Runs jobs alone that died with workers before, one by one, while nothing else is in hand, for a turn. False if it got none.
    private func runSuspects() async -> Bool {
        guard await hasSuspects == true else { return false }
        await board.emptied()
        let end = ContinuousClock.now + SuspectTurns.turn
        var ranAny = false
        while await board.isOpen, .now < end || !ranAny {
            let sent = ContinuousClock.now
            guard let claimed = try? await queue.claimSuspect(lease: lease, on: database.claim) else { break }
            if let reading = claimed.clock { await clock.note(reading, at: sent) }
            await admit(claimed.jobs)
            await board.emptied()
            ranAny = true
        }
        return ranAny
    }

    /// Nil when the database does not say.
    private var hasSuspects: Bool? {
        get async { try? await queue.hasSuspects(on: database.claim) }
    }

    private func admit(_ claimed: [Job]) async {
        var jobs = claimed
        // Without them everything is fetched whole.
        if let parts = conditionalParts, !jobs.isEmpty,
            let tagged = try? await queue.withETags(jobs, of: parts, on: database.claim)
        {
            jobs = tagged
        }
        for earlier in await board.admit(jobs) { report.lost([earlier]) }
    }

    /// Says that we sleep, if we hear the bell, looks again, then sleeps until a bell, the next job's time or the poll, and looks.
    /// Returns with work in hand, or when the worker stops.
    private func sleep(_ floors: inout Floors) async {
        var looks = 0
        var lastBell = ContinuousClock.now - .seconds(1)
        var saidAt: ContinuousClock.Instant?
        while let room = await board.room() {
            if database.health.listen == .ok, saidAt.map({ .now - $0 > Self.longestSleep }) ?? true {
                guard await say(Self.idleTime) else { return }
                saidAt = .now
            }
            guard let claimed = await claim(room, &floors) else { return }
            if claimed > 0 { break }
            if await hasSuspects == true { break }
            if await bell.wait(for: await nextSleep(looks)) {
                // Anybody may ring, and we are still here: bells that bring nothing are answered ten times a second at most.
                let early = Self.bellInterval - (ContinuousClock.now - lastBell)
                if early > .zero { try? await Task.sleep(for: early) }
                lastBell = .now
            }
            looks += 1
        }
        if saidAt != nil { _ = await say(.zero) }
    }

    private func nextSleep(_ looks: Int) async -> Duration {
        if looks < Self.earlyLooks.count { return min(Self.earlyLooks[looks], pollInterval) }
        let longest = min(pollInterval, Self.longestSleep)
        let due = (try? await queue.nextDue(on: database.claim)) ?? nil
        return min(longest, max(due ?? longest, .milliseconds(1)))
    }

    private func say(_ duration: Duration) async -> Bool {
        do {
            try await registry.idle(for: duration, on: database.claim)
            return true
        } catch {
            if case .cancelled = error { return false }
            database.health.lost(error, role: "claim")
            return false
        }
    }
}

/// From where the claims of each lane begin. A floor spares the walk over finished rows that vacuum may not remove yet; it
/// goes when a claim comes back short and every two seconds, since rows may become visible, or be given back, behind it.
private struct Floors {
    private static let lifetime: Duration = .seconds(2)

    private var floors: [Lane: JobQueue.Floor] = [:]
    private var since = ContinuousClock.now

    mutating func current() -> [Lane: JobQueue.Floor] {
        if ContinuousClock.now - since > Self.lifetime {
            floors = [:]
            since = .now
        }
        return floors
    }

    var areAny: Bool { !floors.isEmpty }

    mutating func note(_ full: [Lane: JobQueue.Floor]) { floors = full }
}
