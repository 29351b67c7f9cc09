import AskElephant

/// Where the claimer, the senders and the writers meet: who waits for what, and how much may be in hand.
///
/// What is sent next is decided by ``Window``, when by ``Pace``, what is written next by ``Outbox``; this only suspends and
/// wakes. The part about the pace is in `JobBoardPace.swift`.
actor JobBoard {
    /// Requests and documents on their way to Postgres at most: then nothing more is sent.
    private let maxUnwritten: Int
    /// Rows in hand at most, however many share a request.
    private static let maxJobs = 10_000

    var window = Window()
    private var outbox = Outbox()
    var inFlight = 0
    private var beingWritten = 0
    private var sends = RecentCount()
    var pace: Pace
    var apiFailedAt: ContinuousClock.Instant?
    private var alarm: (time: ContinuousClock.Instant, task: Task<Void, Never>)?
    /// Nothing is claimed or sent: the credential is refused.
    var isHeld = false
    /// Beyond it what is in hand may be another worker's: nothing is taken up or claimed until the leases are extended.
    private var leasesEnd: ContinuousClock.Instant?
    private(set) var isStopping = false
    /// No claim is on its way any more.
    private var isIntakeClosed = false
    private var senders: [CheckedContinuation<Void, Never>] = []
    /// By number; the first one alone takes large documents.
    private(set) var writers: [Int: CheckedContinuation<Void, Never>] = [:]
    private var claimer: CheckedContinuation<Void, Never>?
    var governor: CheckedContinuation<Void, Never>?
    /// Requests that are not the first of their job and wait for a turn, in the order of their turns.
    var paced: [CheckedContinuation<Bool, Never>] = []
    private var finisher: CheckedContinuation<Void, Never>?
    private var stopWaiter: CheckedContinuation<Void, Never>?

    nonisolated var unownedExecutor: UnownedSerialExecutor { ClientThread.actors }

    /// - Parameter isRateCapped: requests leave by turns, also while no limit of the API is known.
    init(concurrency: Int, isRateCapped: Bool = false) {
        maxUnwritten = max(400, 2 * concurrency)
        pace = Pace(concurrency: concurrency, isCapped: isRateCapped)
    }

    // MARK: The claimer's side

    /// How many rows of each lane to claim; waits until it is worth a claim. Nil once the worker stops.
    ///
    /// Claimed and not yet sent is at most what fills the free senders and what is sent within a second, in each lane.
    func room() async -> [Lane: Int]? {
        while !isStopping {
            let target = claimTarget
            if isWorthAClaim(target) {
                return Dictionary(uniqueKeysWithValues: Lane.inOrder.map { ($0, room(in: $0, target)) })
            }
            await withCheckedContinuation { claimer = $0 }
        }
        return nil
    }

    private var claimTarget: Int {
        pace.isAway ? 1 : senders.count + max(8, min(400, sends.perSecond(.now)))
    }

    private func room(in lane: Lane, _ target: Int) -> Int { max(0, min(100, target - window.unsentCount(lane))) }

    private func isWorthAClaim(_ target: Int) -> Bool {
        let enough = min(target, 100) / 4
        return !isHeld && !areLeasesOver && window.jobCount < Self.maxJobs
            && Lane.inOrder.contains { room(in: $0, target) > enough }
    }

    /// Returns earlier claims of these rows that were still waiting here: their leases had run out.
    func admit(_ jobs: [Job]) -> [Job] {
        var earlier: [Job] = []
        for job in jobs {
            if let text = job.engagementID, let engagement = EngagementID(text), !job.isPoison, !job.isSuppressed,
                isOpen, !isTooMany(job)
            {
                if let lost = window.admit(job, of: engagement) { earlier.append(lost) }
            } else {
                outbox.append(refusal(job))
            }
        }
        wakeSenders()
        wakeWriters()
        return earlier
    }

    /// It was claimed before the API turned out to be away; one a lane is enough to try it.
    private func isTooMany(_ job: Job) -> Bool { pace.isAway && window.unsentCount(job.lane) > 0 }

    /// Whether what is claimed is taken on.
    var isOpen: Bool { !isHeld && !isStopping }

    /// Nothing claimed is left, nor on its way into Postgres.
    var isEmpty: Bool { window.isEmpty && outbox.isEmpty && beingWritten == 0 }

    /// Waits until everything that was admitted has ended.
    func emptied() async {
        while !isEmpty {
            await withCheckedContinuation { finisher = $0 }
        }
    }

    var inHand: (inFlight: Int, unwritten: Int) { (inFlight, outbox.count + beingWritten) }

    func requestsPerSecond() -> Double { Double(sends.perSecond(.now)) }

    // MARK: The senders' side

    /// The next request; waits for one. Nil once the worker stops.
    func takeNext() async -> Fetch? {
        while !isStopping {
            if mayTake, let fetch = window.takeNext() {
                inFlight += 1
                noteSend()
                wakeClaimer()
                wakeSenders()
                return fetch
            }
            await withCheckedContinuation { continuation in
                senders.append(continuation)
                wakeClaimer()
            }
        }
        return nil
    }

    func deliver(_ document: ReadyDocument) {
        inFlight -= 1
        outbox.append(document)
        wakeWriters()
        wakeSenders()
    }

    func deliver(_ settlement: Settlement) {
        inFlight -= 1
        outbox.append(settlement)
        wakeWriters()
        wakeSenders()
    }

    // MARK: The writers' side

    /// What is ready, up to a batch; waits for something. Nil once the worker stops and nothing more can come.
    ///
    /// - Parameter writer: its number, from 1.
    func takeBatch(by writer: Int) async -> Outbox.Batch? {
        while true {
            if let batch = outbox.takeBatch(orLarge: writer == 1) {
                beingWritten += batch.documents.count + batch.settlements.count
                return batch
            }
            if isStopping && isIntakeClosed && inFlight == 0 && beingWritten == 0 { return nil }
            await withCheckedContinuation { writers[writer] = $0 }
        }
    }

    /// The jobs of these requests have ended in Postgres.
    func finish(_ count: Int, of engagements: [EngagementID]) {
        beingWritten -= count
        for engagement in engagements { window.finish(engagement) }
        if isStopping || isHeld {
            giveBackWaiting(isHeld ? .credential : .shutdown)
            wakeWriters()
        }
        wakeSenders()
        wakeClaimer()
        wakeFinisher()
    }

    /// A document that was being written goes another way: its jobs are settled without it, or it is tried again, mended.
    func putBack(_ settlement: Settlement) {
        beingWritten -= 1
        outbox.append(settlement)
        wakeWriters()
    }

    func putBack(_ document: ReadyDocument) {
        beingWritten -= 1
        outbox.append(document)
        wakeWriters()
    }

    // MARK: Holding

    /// Nothing is claimed or sent until ``resume()``; what no request is out for goes back at once.
    func hold() {
        isHeld = true
        giveBackWaiting(.credential)
        wakeWriters()
        wakeFinisher()
    }

    func resume() {
        isHeld = false
        wakeSenders()
        wakeClaimer()
    }

    // MARK: Leases and the end

    /// The rows in hand, each with the number of its claim.
    var held: [Int64: Int64] {
        Dictionary(window.jobs.map { ($0.id, $0.claims) }, uniquingKeysWith: max)
    }

    func leasesHold(until end: ContinuousClock.Instant) {
        leasesEnd = end
        wakeSenders()
        wakeClaimer()
    }

    private var areLeasesOver: Bool { leasesEnd.map { $0 <= .now } ?? false }

    /// Forgets rows that are ours no more; those whose request is out are found by the fence.
    func lost(_ claims: [Int64: Int64]) -> [(EngagementID, [Job])] {
        defer {
            wakeClaimer()
            wakeFinisher()
        }
        return window.drop(claims)
    }

    /// Nothing new is claimed or sent; what no request is out for goes back at once.
    func stop() {
        guard !isStopping else { return }
        isStopping = true
        stopWaiter?.resume()
        stopWaiter = nil
        giveBackWaiting(isHeld ? .credential : .shutdown)
        for sender in senders { sender.resume() }
        senders = []
        giveTurns()
        wakeGovernor()
        wakeClaimer()
        wakeWriters()
    }

    /// The claimer has ended: what it brought last has been admitted.
    func closeIntake() {
        isIntakeClosed = true
        wakeWriters()
    }

    /// Waits for ``stop()``.
    func stopped() async {
        guard !isStopping else { return }
        await withCheckedContinuation { stopWaiter = $0 }
    }

    // MARK: -

    func giveBackWaiting(_ cause: Cause) {
        for (engagement, jobs) in window.giveBack() {
            let ends = jobs.map { JobEnd($0, .release, cause: cause) }
            outbox.append(Settlement(engagementID: engagement, ends: ends, wasInHand: false))
        }
    }

    private func refusal(_ job: Job) -> Settlement {
        if job.engagementID.flatMap(EngagementID.init) == nil {
            return Settlement(ends: [JobEnd(job, .dead, cause: .invalidID)], wasInHand: false)
        }
        if job.isSuppressed {
            return Settlement(
                engagementID: job.engagementID.flatMap(EngagementID.init), ends: [JobEnd(job, .suppressed, cause: nil)],
                wasInHand: false)
        }
        if job.isPoison {
            let error = "\(job.losses) workers died holding it"
            return Settlement(
                engagementID: job.engagementID.flatMap(EngagementID.init),
                ends: [JobEnd(job, .dead, cause: .poison)], error: error, wasInHand: false)
        }
        let cause: Cause = isHeld ? .credential : isStopping ? .shutdown : .api
        return Settlement(
            engagementID: job.engagementID.flatMap(EngagementID.init), ends: [JobEnd(job, .release, cause: cause)],
            wasInHand: false)
    }

    func noteSend() {
        sends.note(.now)
        pace.sent(.now)
        if pace.need(.now) != nil { wakeGovernor() }
    }

    private var mayTake: Bool {
        // What was begun goes first.
        guard paced.isEmpty else { return false }
        guard !isHeld, !areLeasesOver, outbox.count + beingWritten + inFlight < maxUnwritten, !window.isEmpty else {
            return false
        }
        switch pace.next(inFlight: inFlight, .now) {
        case .nothing: return true
        case .time(let time): wakeSenders(at: time)
        case .turns: wakeGovernor()
        }
        return false
    }

    /// One alarm at a time wakes those that the pace keeps waiting.
    func wakeSenders(at time: ContinuousClock.Instant) {
        if let alarm, alarm.time <= time { return }
        alarm?.task.cancel()
        alarm = (
            time,
            Task {
                guard (try? await ContinuousClock().sleep(until: time)) != nil else { return }
                alarm = nil
                wakeSenders()
            }
        )
    }

    /// Those whose turn it is, and one sender if there is something that it may send; it wakes the next one.
    func wakeSenders() {
        giveTurns()
        if window.unsentCount > 0, !senders.isEmpty, mayTake { senders.removeLast().resume() }
    }

    func wakeWriters() {
        if isStopping {
            for writer in writers.values { writer.resume() }
            writers = [:]
            return
        }
        // Whoever is woken besides may find that another was first.
        if outbox.hasLarge { writers.removeValue(forKey: 1)?.resume() }
        if outbox.hasOrdinary, let writer = writers.keys.max() { writers.removeValue(forKey: writer)?.resume() }
    }

    private func wakeFinisher() {
        guard isEmpty else { return }
        finisher?.resume()
        finisher = nil
    }

    func wakeClaimer() {
        guard claimer != nil, isStopping || isWorthAClaim(claimTarget) else { return }
        claimer?.resume()
        claimer = nil
    }

    func wakeGovernor() {
        governor?.resume()
        governor = nil
    }
}
