import AskElephant

/// Takes jobs from the board, one engagement at a time, and brings back a document or the ends of the jobs.
actor Fetcher {
    private let board: JobBoard
    private let clock: DatabaseClock
    private let client: Client
    private let credentials: CredentialKeeper
    private let scopes: ScopeBook
    private let health: APIHealth
    private let judge: Judge
    private let budget: ByteBudget
    private let log: Log

    nonisolated var unownedExecutor: UnownedSerialExecutor { ClientThread.actors }

    init(
        board: JobBoard, clock: DatabaseClock, client: Client, credentials: CredentialKeeper, scopes: ScopeBook,
        health: APIHealth, judge: Judge, budget: ByteBudget, log: Log
    ) {
        self.board = board
        self.clock = clock
        self.client = client
        self.credentials = credentials
        self.scopes = scopes
        self.health = health
        self.judge = judge
        self.budget = budget
        self.log = log
    }

    /// Runs until the board stops. Cancelling the task cancels the request; its jobs are given back.
    func run() async {
        while let fetch = await board.takeNext() {
            switch await self.fetch(fetch) {
            case .document(let ready): await board.deliver(ready)
            case .settlement(let settlement): await board.deliver(settlement)
            }
        }
    }

    enum Brought: Sendable {
        case document(ReadyDocument)
        case settlement(Settlement)
    }

    /// Asks until the answer is whole, as far as the credential reaches.
    func fetch(_ fetch: Fetch) async -> Brought {
        var attempt = Attempt(fetch)
        // A dead letter that is tried with a new token is most likely still private, or not found.
        let isReplay = fetch.jobs.contains { $0.reason == "credential_changed" }
        guard var plan = await scopes.plan(mayTry: !isReplay) else { return attempt.released(.shutdown) }
        attempt.hasWaited = plan.hasWaited
        attempt.mayNameETag = plan.isOrdinary
        while true {
            var fallback = ScopeFallback(plan.parts, trying: plan.trying)
            let end = await climb(&fallback, &plan, &attempt)
            if case .askAgain(let next) = end {
                plan = next
                continue
            }
            // Before the others go on: that nothing can be read at all is worth waiting for, too.
            var base: CredentialKeeper.Base?
            if case .refused(let saysPrivate) = end {
                base = saysPrivate ? .readable : await credentials.confirmBase(after: attempt.lastSent)
            }
            await scopes.conclude(plan, fallback, of: fetch.engagementID)
            return await brought(end, base, plan.parts(without: fallback.denials), &attempt)
        }
    }

    private enum End {
        case delivered
        case refused(saysPrivate: Bool)
        case other(Reply)
        /// It could not even be sent.
        case notSent(Cause)
        case askAgain(ScopeBook.Plan)
    }

    /// Sends what the fallback asks for until it ends.
    private func climb(
        _ fallback: inout ScopeFallback, _ plan: inout ScopeBook.Plan, _ attempt: inout Attempt
    ) async -> End {
        var asked = fallback.first
        var first: Credential?
        while true {
            guard let sent = await send(asked, &attempt) else {
                return .notSent(await attempt.cause(credentials, isStopping: await board.isStopping))
            }
            // What one token may not read says nothing of another: from the beginning with the new one.
            if let first, first != sent.credential { return .askAgain(plan) }
            first = sent.credential
            await scopes.answered(plan)
            let answer = sent.answer
            switch answer {
            case .delivered: await scopes.delivered(asked, sent: sent.time)
            case .forbidden(let hint, _) where fallback.isDoubtful(asked) && !hint.saysPrivateAlone(of: asked):
                switch await scopes.refused(asked, sent: sent.time, plan) {
                case .askAgain(let next): return .askAgain(next)
                case .goOn(let same): plan = same
                }
            default: break
            }
            switch fallback.next(answer) {
            case .ask(let next): asked = next
            case .end(.delivered): return .delivered
            case .end(.refused(let saysPrivate)): return .refused(saysPrivate: saysPrivate)
            case .end(.other): return .other(sent.reply)
            }
        }
    }

    private func brought(
        _ end: End, _ base: CredentialKeeper.Base?, _ readable: [Expand], _ attempt: inout Attempt
    ) async -> Brought {
        let jobs = attempt.fetch.jobs
        switch end {
        case .delivered: return attempt.document(asked: readable)
        case .refused: return attempt.settled(judge.refused(jobs, base: base ?? .unknown), error: "HTTP 403")
        case .other(let reply):
            var isAlive = reply.isServed
            if !isAlive, !Task.isCancelled {
                isAlive = await health.isAlive(
                    afterFailure: reply, sent: attempt.lastSent, await credentials.usable)
            }
            var generator = SystemRandomNumberGenerator()
            let ends = judge.judge(reply, jobs: jobs, apiIsAlive: isAlive, using: &generator) ?? []
            return attempt.settled(ends, error: reply.summary)
        case .notSent(let cause): return attempt.released(cause)
        case .askAgain: preconditionFailure("asked again by the caller")
        }
    }

    // MARK: One request

    private struct Sent {
        var reply: Reply
        var time: ContinuousClock.Instant
        var credential: Credential
        var answer: ScopeFallback.Answer { reply.fallbackAnswer }
    }

    /// Sends one request; nil when there is no credential, the worker stops, or the database does not tell its time. A
    /// token that was replaced meanwhile is not the job's matter: the request is repeated with the new one, once.
    private func send(_ parts: Set<Expand>, _ attempt: inout Attempt) async -> Sent? {
        for isLast in [false, true] {
            if attempt.hasAsked || attempt.hasWaited, await !board.takeTurn() { return nil }
            // After all waiting, for memory too, and just before sending: this is the observation's time.
            guard let reservation = try? await budget.reserve(), let observedAt = await observe(),
                let credential = await credentials.usable
            else { return nil }
            let time = ContinuousClock.now
            var reply = await client.getEngagement(
                attempt.fetch.engagementID, expand: Array(parts), credential: credential, reservation: reservation,
                etag: attempt.tag(of: parts))
            if case .document = reply {} else { reservation.release() }
            attempt.note(reply, parts, sent: time, observedAt: observedAt)
            await note(reply, sent: time, attempt)
            if case .unauthorized(let problem) = reply {
                switch await credentials.refused(credential, requestID: problem.requestID) {
                case .isReplaced: if !isLast { continue }
                case .isItsOwn: reply = .rejected(status: 401, problem)
                case .isRefused: break
                }
            }
            return Sent(reply: reply, time: time, credential: credential)
        }
        return nil
    }

    /// The time of the observation. A pause of all workers that comes to light with it is waited for.
    private func observe() async -> String? {
        while let time = try? await clock.read() {
            if await !board.isPaused { return time }
            guard await board.takeTurn() else { return nil }
        }
        return nil
    }

    private func note(_ reply: Reply, sent: ContinuousClock.Instant, _ attempt: Attempt) async {
        await health.note(reply, sent: sent)
        log(
            .debug, .request, "request",
            [
                .engagementID: .string(attempt.fetch.engagementID.rawValue), .httpStatus: LogValue(reply.status),
                .parts: .strings(attempt.asked.map(\.rawValue)),
                .durationMilliseconds: .integer(Int((ContinuousClock.now - sent) / .milliseconds(1))),
                .requestID: LogValue(reply.requestID),
            ]
        )
    }
}
