import AskElephant
import Postgres
import Synchronization

/// Writes the one `job.done` line of each claim and keeps the counts for the heartbeat.
package final class Reporter: Sendable {
    struct Counts: Sendable {
        var done = 0
        var dead = 0
        var lastSuccess: ContinuousClock.Instant?
    }

    private let log: Log
    private let worker: String
    private let counts = Mutex(Counts())
    /// Since somebody was told last, and since the start.
    private let activity = Mutex((untold: Activity(), total: Activity()))
    /// What ended, for a command that shows it; nil for a worker that runs for months.
    private let ended: Mutex<[JobDone]?>

    init(log: Log, bootID: Int64, keepsEnded: Bool = false) {
        self.log = log
        ended = Mutex(keepsEnded ? [] : nil)
        worker = String(UInt64(bitPattern: bootID), radix: 16)
    }

    /// How jobs ended since this was asked last.
    func takeActivity() -> Activity { activity.withLock { $0.untold.take() } }

    /// Of what was taken and could not be told.
    func putBack(_ untold: Activity) { activity.withLock { $0.untold.add(untold) } }

    /// How jobs ended since the worker started.
    var total: Activity { activity.withLock(\.total) }

    var snapshot: Counts { counts.withLock(\.self) }

    var allEnded: [JobDone] { ended.withLock { $0 ?? [] } }

    /// A document was written, or lost to another worker.
    func done(_ ready: ReadyDocument, _ written: EngagementStore.Written, writeMilliseconds: Int64) {
        guard let outcome = JobDone.Outcome(rawValue: written.outcome.rawValue) else { return }
        let ours = ready.fetch.jobs.filter { !written.lost.contains($0.id) }
        counts.withLock { counts in
            guard outcome != .leaseLost else { return }
            counts.done += 1
            counts.lastSuccess = .now
        }
        write(
            ours.isEmpty ? ready.fetch.jobs : ours, of: ready.fetch.engagementID.rawValue, outcome, cause: nil,
            ready.record, writeMilliseconds, missing: written.missing
        )
        lost(ready.fetch.jobs.filter { written.lost.contains($0.id) && !ours.isEmpty }, ready.record)
    }

    /// Jobs ended without a document. Those that shared a fate share a line.
    func done(_ settlement: Settlement, _ settled: JobQueue.Settled, writeMilliseconds: Int64) {
        var groups: [JobDone.Outcome: [JobEnd]] = [:]
        for end in settlement.ends { groups[outcome(end, settled), default: []].append(end) }
        for (outcome, ends) in groups.sorted(by: { $0.key.rawValue < $1.key.rawValue }) {
            if outcome == .dead { counts.withLock { $0.dead += ends.count } }
            if outcome == .deleted || outcome == .suppressed { counts.withLock { $0.done += 1 } }
            write(
                // Nil for what is no id: anything may stand there instead, an address for example.
                ends.map(\.job), of: settlement.engagementID?.rawValue, outcome,
                cause: ends[0].cause, isCharged: ends[0].isCharged, settlement.record, writeMilliseconds, missing: []
            )
        }
    }

    /// Rows that another worker took over before a request was out for them.
    func lost(_ jobs: [Job], _ record: FetchRecord = FetchRecord()) {
        guard !jobs.isEmpty else { return }
        write(jobs, of: jobs[0].engagementID, .leaseLost, cause: nil, record, nil, missing: [])
    }

    /// Jobs that cannot even be given back; their lease ends by itself.
    func stuck(_ settlement: Settlement, _ error: PostgresError.ServerError) {
        log(
            .error, .jobStuck, "a job's end cannot be written: its lease will run out",
            PostgresError.server(error).fields)
        write(
            settlement.ends.map(\.job), of: settlement.engagementID?.rawValue, .released, cause: .database,
            settlement.record, nil, missing: []
        )
    }

    private func outcome(_ end: JobEnd, _ settled: JobQueue.Settled) -> JobDone.Outcome {
        guard settled.held.contains(end.job.id) else { return .leaseLost }
        return switch end.action {
        case .retry: .retry
        case .release: .released
        case .dead: .dead
        case .deleted: settled.superseded.contains(end.job.id) ? .superseded : .deleted
        case .suppressed: .suppressed
        }
    }

    private func write(
        _ jobs: [Job], of engagementID: String?, _ outcome: JobDone.Outcome, cause: Cause?, isCharged: Bool = false,
        _ record: FetchRecord,
        _ writeMilliseconds: Int64?, missing: [String]
    ) {
        let job = jobs[0]
        let done = JobDone(
            jobID: job.id, engagementID: engagementID, reason: job.reason, outcome: outcome, cause: cause?.rawValue,
            httpStatus: record.httpStatus, claim: Int(job.claims), attempt: job.attempts + (isCharged ? 1 : 0),
            waitMilliseconds: job.waitMilliseconds, fetchMilliseconds: record.fetchMilliseconds,
            writeMilliseconds: writeMilliseconds, requests: record.requests, partsMissing: missing,
            coalesced: jobs.count - 1, requestID: record.requestID, worker: worker
        )
        activity.withLock { activity in
            activity.untold.add(done)
            activity.total.add(done)
        }
        ended.withLock { $0?.append(done) }
        log(done)
    }
}
