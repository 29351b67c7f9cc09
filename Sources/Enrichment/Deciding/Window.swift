package import AskElephant

/// Rows of one engagement that share one request.
package struct Fetch: Sendable {
    package let engagementID: EngagementID
    package let jobs: [Job]

    package init(engagementID: EngagementID, jobs: [Job]) {
        self.engagementID = engagementID
        self.jobs = jobs
    }

    /// As it was looked up last.
    var stored: StoredETag? { jobs.last?.stored }
}

/// What this worker has claimed, by engagement: pure.
///
/// Rows of an engagement that come before its request is sent hang on that one request; rows that come later wait for it
/// to end and share the next one. No clock decides, so a change at the source whose row is claimed after the request
/// went out is always fetched again, and a burst costs at most two requests.
struct Window {
    private struct Entry {
        /// The rows that the request is for.
        var jobs: [Job]
        /// Rows that came while it was in hand.
        var later: [Job] = []
        var isInHand = false
        var lane: Lane
    }

    private var entries: [EngagementID: Entry] = [:]
    /// Engagements to send, by lane. One that rose to a higher lane stands in both: the first to be met counts.
    private var lines: [Lane: Line] = [.live: Line(), .normal: Line(), .background: Line()]
    private var unsent: [Lane: Int] = [.live: 0, .normal: 0, .background: 0]
    private(set) var jobCount = 0

    var isEmpty: Bool { entries.isEmpty }

    /// Engagements that wait to be sent; rows that share a request count once.
    func unsentCount(_ lane: Lane) -> Int { unsent[lane]! }

    var unsentCount: Int { unsent.values.reduce(0, +) }

    /// What is in hand, whatever its state.
    var jobs: [Job] { entries.values.flatMap { $0.jobs + $0.later } }

    /// Returns the claim of the same row that still waits here: its lease ran out, or the server lost that claim in a crash,
    /// and then this one has the same number.
    mutating func admit(_ job: Job, of engagement: EngagementID) -> Job? {
        guard var entry = entries[engagement] else {
            jobCount += 1
            entries[engagement] = Entry(jobs: [job], lane: job.lane)
            lineUp(engagement, job.lane)
            return nil
        }
        let earlier: Job?
        if entry.isInHand {
            earlier = Self.add(job, to: &entry.later)
        } else {
            earlier = Self.add(job, to: &entry.jobs)
            if job.lane > entry.lane {
                unsent[entry.lane]! -= 1
                entry.lane = job.lane
                lineUp(engagement, job.lane)
            }
        }
        entries[engagement] = entry
        if earlier == nil { jobCount += 1 }
        return earlier
    }

    private static func add(_ job: Job, to jobs: inout [Job]) -> Job? {
        let earlier = jobs.firstIndex { $0.id == job.id }.map { jobs.remove(at: $0) }
        jobs.append(job)
        return earlier
    }

    /// The next request to send: the highest lane first, in order of arrival.
    mutating func takeNext() -> Fetch? {
        for lane in Lane.inOrder {
            while let engagement = lines[lane]!.removeFirst() {
                guard var entry = entries[engagement], !entry.isInHand, entry.lane == lane else { continue }
                entry.isInHand = true
                entries[engagement] = entry
                unsent[lane]! -= 1
                return Fetch(engagementID: engagement, jobs: entry.jobs)
            }
        }
        return nil
    }

    /// The request's jobs have ended, in Postgres too: what came meanwhile is next in line.
    mutating func finish(_ engagement: EngagementID) {
        guard let entry = entries.removeValue(forKey: engagement), entry.isInHand else {
            preconditionFailure("an engagement ended that was not in hand")
        }
        jobCount -= entry.jobs.count
        guard let lane = entry.later.map(\.lane).max() else { return }
        entries[engagement] = Entry(jobs: entry.later, lane: lane)
        lineUp(engagement, lane)
    }

    /// Forgets rows whose lease is lost and which no request is out for; returns them.
    ///
    /// - Parameter lost: the ids of rows, each with the number of the claim that is lost.
    mutating func drop(_ lost: [Int64: Int64]) -> [(EngagementID, [Job])] {
        removeWaiting { lost[$0.id] == $0.claims }
    }

    /// Forgets every row that no request is out for, to be given back; returns them.
    mutating func giveBack() -> [(EngagementID, [Job])] {
        removeWaiting { _ in true }
    }

    private mutating func removeWaiting(_ isGone: (Job) -> Bool) -> [(EngagementID, [Job])] {
        var removed: [(EngagementID, [Job])] = []
        for (engagement, var entry) in entries {
            let waiting = entry.isInHand ? entry.later : entry.jobs
            let gone = waiting.filter(isGone)
            guard !gone.isEmpty else { continue }
            removed.append((engagement, gone))
            jobCount -= gone.count
            let kept = waiting.filter { !isGone($0) }
            if entry.isInHand { entry.later = kept } else { entry.jobs = kept }
            if kept.isEmpty && !entry.isInHand {
                unsent[entry.lane]! -= 1
                entries[engagement] = nil
            } else {
                entries[engagement] = entry
            }
        }
        return removed
    }

    private mutating func lineUp(_ engagement: EngagementID, _ lane: Lane) {
        lines[lane]!.append(engagement)
        unsent[lane]! += 1
    }

    /// A queue whose head moves along an array, emptied now and then.
    private struct Line {
        private var items: [EngagementID] = []
        private var head = 0

        mutating func append(_ item: EngagementID) { items.append(item) }

        mutating func removeFirst() -> EngagementID? {
            guard head < items.count else { return nil }
            defer {
                head += 1
                if head == items.count || head > 1_000 {
                    items.removeFirst(head)
                    head = 0
                }
            }
            return items[head]
        }
    }
}
