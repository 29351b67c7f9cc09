import AskElephant

/// Takes requests from the board, one at a time, and brings back a document or the ends of the jobs.
struct Fetcher: Sendable {
    let board: JobBoard
    let clock: DatabaseClock
    let client: Client
    let credentials: CredentialSource
    let health: APIHealth
    let judge: Judge
    let expand: [Expand]
    let budget: ByteBudget
    let log: Log

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

    func fetch(_ fetch: Fetch) async -> Brought {
        guard let credential = credentials.credential else {
            let ends = fetch.jobs.map { JobEnd($0, .release, delay: .seconds(30), cause: .credential) }
            return .settlement(Settlement(engagementID: fetch.engagementID, ends: ends, error: "no credential"))
        }
        // After all waiting, for memory too, and just before sending: this is the observation's time.
        guard let reservation = try? await budget.reserve(), let observedAt = try? await clock.read() else {
            // The worker stops, or the database would not tell its time.
            let isStopping = Task.isCancelled
            let ends = fetch.jobs.map {
                JobEnd($0, .release, delay: isStopping ? .zero : .seconds(1), cause: isStopping ? .shutdown : .database)
            }
            return .settlement(Settlement(engagementID: fetch.engagementID, ends: ends))
        }
        let start = ContinuousClock.now
        let reply = await client.getEngagement(
            fetch.engagementID, expand: expand, credential: credential, reservation: reservation)
        var record = FetchRecord()
        record.requests = 1
        record.httpStatus = reply.status
        record.requestID = reply.requestID
        record.fetchMilliseconds = Int64((ContinuousClock.now - start) / .milliseconds(1))
        note(reply, record, fetch)
        return brought(fetch, reply, observedAt, record)
    }

    private func brought(_ fetch: Fetch, _ reply: Reply, _ observedAt: String, _ record: FetchRecord) -> Brought {
        if case .document(let document) = reply {
            return .document(
                ReadyDocument(
                    fetch: fetch, document: document, observedAt: observedAt, asked: expand, record: record,
                    repairs: document.repaired ? ["invalid_utf8"] : []
                )
            )
        }
        var generator = SystemRandomNumberGenerator()
        let ends = judge.judge(reply, jobs: fetch.jobs, apiIsAlive: health.isAlive, using: &generator) ?? []
        return .settlement(
            Settlement(
                engagementID: fetch.engagementID, ends: ends, observedAt: observedAt, error: reply.summary,
                record: record
            )
        )
    }

    private func note(_ reply: Reply, _ record: FetchRecord, _ fetch: Fetch) {
        switch reply {
        case .unavailable, .transport, .rateLimited, .contract: break
        default: health.succeeded()
        }
        log(
            .debug, .request, "request",
            [
                .engagementID: .string(fetch.engagementID.rawValue), .httpStatus: LogValue(record.httpStatus),
                .durationMilliseconds: LogValue(record.fetchMilliseconds), .requestID: LogValue(record.requestID),
            ]
        )
    }
}

extension Reply {
    /// What came back, in words that hold nothing of the engagement: for `last_error` and `dead_letters.error`.
    var summary: String? {
        switch self {
        case .document: nil
        case .contract(let violation): "HTTP \(violation.status), \(violation.kind.rawValue)"
        case .transport(let failure): "\(failure)"
        default: status.map { "HTTP \($0)" }
        }
    }
}
