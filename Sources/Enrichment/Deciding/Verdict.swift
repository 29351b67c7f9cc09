package import AskElephant

/// How one job ends that brought no document.
package struct JobEnd: Sendable, Equatable {
    package enum Action: String, Sendable {
        /// Back to the queue after the delay, one attempt charged.
        case retry
        /// Back to the queue after the delay, uncharged.
        case release
        case dead
        /// The source says it is gone, and the job said so too.
        case deleted
        /// It was purged: the job goes, and nothing is asked for.
        case suppressed
    }

    /// What the answer says of an engagement that we may hold.
    package enum Mark: String, Sendable { case unreadable, deleted }

    package let job: Job
    package let action: Action
    package var delay: Duration = .zero
    /// Counts as a look: the job is uncharged, but its looks are limited.
    package var looked = false
    /// Counts as an attempt of the job's own.
    package var isCharged: Bool
    package let cause: Cause?
    package var mark: Mark?

    package init(
        _ job: Job, _ action: Action, delay: Duration = .zero, looked: Bool = false, cause: Cause?, mark: Mark? = nil
    ) {
        self.job = job
        self.action = action
        self.delay = delay
        self.looked = looked
        self.cause = cause
        self.mark = mark
        isCharged = action == .retry
    }
}

/// What an answer means for the jobs that hang on it: pure, so that every case can be tested.
package struct Judge: Sendable {
    package var maxAttempts: Int
    package var backoff: Backoff

    /// A job that asks for something that cannot be read is tried once more, not many times.
    static let contractAttempts = 2
    /// Webhooks outrun replicas: something that is not found is looked at again this often, uncharged.
    static let notFoundLooks: [Duration] = [.seconds(5), .seconds(30), .seconds(120), .seconds(600)]

    /// How long a refused engagement waits when the API does not tell why.
    private static let doubt: Duration = .seconds(5)

    package init(maxAttempts: Int, backoff: Backoff) {
        self.maxAttempts = maxAttempts
        self.backoff = backoff
    }

    /// The ends of the jobs; nil for a document, which is to be written.
    ///
    /// - Parameter apiIsAlive: the API serves others. If it does not it is away as a whole, and no job is charged for that.
    package func judge(
        _ reply: Reply, jobs: [Job], apiIsAlive: Bool, using generator: inout some RandomNumberGenerator
    ) -> [JobEnd]? {
        switch reply {
        case .document, .notModified: return nil
        // At once: nothing is claimed until the API takes the credential again.
        case .unauthorized: return jobs.map { JobEnd($0, .release, cause: .credential) }
        // Of a single request nobody knows why; what a 403 means is found out by several (``refused(_:isReadable:)``).
        case .forbidden: return jobs.map { JobEnd($0, .release, delay: Self.doubt, cause: .forbidden) }
        case .notFound, .gone: return notFound(jobs)
        case .rejected: return jobs.map { JobEnd($0, .dead, cause: .rejected) }
        case .rateLimited(let after, _):
            let delay = after + after * Double.random(in: 0...0.1, using: &generator)
            return jobs.map { JobEnd($0, .release, delay: delay, cause: .rateLimited) }
        case .unavailable(_, let after, _):
            return failed(jobs, .api, apiIsAlive: apiIsAlive, atLeast: after ?? .zero, using: &generator)
        case .contract(let violation):
            if violation.kind == .tooLarge { return contract(jobs, .tooLarge, using: &generator) }
            // A maintenance page for everybody is the API's trouble, not a job's.
            guard apiIsAlive else {
                return failed(jobs, .contract, apiIsAlive: false, atLeast: .zero, using: &generator)
            }
            return contract(jobs, .contract, using: &generator)
        case .transport(.cancelled): return jobs.map { JobEnd($0, .release, cause: .shutdown) }
        // The body waited in vain for our own memory.
        case .transport(.noMemory): return jobs.map { JobEnd($0, .release, delay: .seconds(1), cause: .network) }
        case .transport: return failed(jobs, .network, apiIsAlive: apiIsAlive, atLeast: .zero, using: &generator)
        }
    }

    /// The ends of jobs whose engagement is refused whatever is asked for.
    ///
    /// - Parameter base: whether the credential can read engagements at all. Then this one is private.
    func refused(_ jobs: [Job], base: CredentialKeeper.Base) -> [JobEnd] {
        switch base {
        case .readable: jobs.map { JobEnd($0, .dead, cause: .private, mark: .unreadable) }
        case .troubled: jobs.map { JobEnd($0, .release, cause: .credential) }
        case .unknown: jobs.map { JobEnd($0, .release, delay: Self.doubt, cause: .forbidden) }
        }
    }

    /// The ends of jobs whose answer is not the document that was asked for.
    package func contract(
        _ jobs: [Job], _ cause: Cause, using generator: inout some RandomNumberGenerator
    ) -> [JobEnd] {
        jobs.map { charge($0, cause, limit: min(maxAttempts, Self.contractAttempts), using: &generator) }
    }

    /// The ends of jobs that Postgres alone of their batch refused.
    package func refusedByDatabase(
        _ jobs: [Job], charged: Bool, using generator: inout some RandomNumberGenerator
    ) -> [JobEnd] {
        jobs.map { job in
            guard charged else { return JobEnd(job, .release, delay: .seconds(10), cause: .database) }
            return charge(job, .database, limit: maxAttempts, using: &generator)
        }
    }

    private func notFound(_ jobs: [Job]) -> [JobEnd] {
        if jobs.contains(where: { $0.reason == "deleted" }) {
            return jobs.map { JobEnd($0, .deleted, cause: nil, mark: .deleted) }
        }
        return jobs.map { job in
            let looks = max(0, job.looks)
            guard looks < Self.notFoundLooks.count else {
                return JobEnd(job, .dead, cause: .notFound, mark: .unreadable)
            }
            let delay = Self.notFoundLooks[looks]
            return JobEnd(job, .release, delay: delay, looked: true, cause: .notFound, mark: .unreadable)
        }
    }

    private func failed(
        _ jobs: [Job], _ cause: Cause, apiIsAlive: Bool, atLeast: Duration,
        using generator: inout some RandomNumberGenerator
    ) -> [JobEnd] {
        jobs.map { job in
            if apiIsAlive {
                var end = charge(job, cause, limit: maxAttempts, using: &generator)
                end.delay = max(end.delay, atLeast)
                return end
            }
            let delay = max(atLeast, .milliseconds(Int64.random(in: 1_000...5_000, using: &generator)))
            return JobEnd(job, .release, delay: delay, cause: cause)
        }
    }

    private func charge(
        _ job: Job, _ cause: Cause, limit: Int, using generator: inout some RandomNumberGenerator
    ) -> JobEnd {
        let attempt = job.attempts + 1
        var end = JobEnd(job, .dead, cause: cause)
        if attempt < limit {
            end = JobEnd(job, .retry, delay: backoff.delay(attempt: attempt, using: &generator), cause: cause)
        }
        end.isCharged = true
        return end
    }
}
