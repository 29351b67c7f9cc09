package import AskElephant

/// What the requests for one engagement have brought so far.
struct Attempt: Sendable {
    let fetch: Fetch
    private(set) var asked: [Expand] = []
    private(set) var lastSent = ContinuousClock.now
    /// It waited for others, who all go on at the same time.
    var hasWaited = false
    /// The first request may name the ETag of what is stored: not if its answer is to tell what the credential may read.
    var mayNameETag = false
    private var record = FetchRecord()
    private var observedAt: String?
    /// The last answer that was a document, with the time of its observation.
    private var ready: ReadyDocument?
    private let start = ContinuousClock.now

    init(_ fetch: Fetch) { self.fetch = fetch }

    var hasAsked: Bool { record.requests > 0 }

    /// The ETag to name, if it is of these parts.
    func tag(of parts: Set<Expand>) -> String? {
        guard mayNameETag, !hasAsked, let stored = fetch.stored, stored.parts == parts else { return nil }
        return stored.etag
    }

    mutating func note(_ reply: Reply, _ parts: Set<Expand>, sent: ContinuousClock.Instant, observedAt: String) {
        asked = Expand.allCases.filter(parts.contains)
        lastSent = sent
        self.observedAt = observedAt
        record.requests += 1
        record.httpStatus = reply.status
        record.requestID = reply.requestID
        record.fetchMilliseconds = Int64((ContinuousClock.now - start) / .milliseconds(1))
        switch reply {
        case .document(let document): keep(document, observedAt, repairs: document.repaired ? ["invalid_utf8"] : [])
        case .notModified:
            keep(Document(json: [], etag: fetch.stored?.etag), observedAt)
            ready?.isNotModified = true
        default: break
        }
    }

    private mutating func keep(_ document: Document, _ observedAt: String, repairs: [String] = []) {
        ready?.document.reservation?.release()
        ready = ReadyDocument(
            fetch: fetch, document: document, observedAt: observedAt, asked: asked, record: record, repairs: repairs)
    }

    /// The document, with the count of all requests that it took.
    ///
    /// - Parameter asked: what the credential may read. A part that the API did not want to be asked for is among them: it
    ///   is not delivered, not denied.
    func document(asked: [Expand]) -> Fetcher.Brought {
        guard var ready else { preconditionFailure("no document was delivered") }
        ready.asked = asked
        ready.record.requests = record.requests
        ready.record.fetchMilliseconds = record.fetchMilliseconds
        return .document(ready)
    }

    func settled(_ ends: [JobEnd], error: String?) -> Fetcher.Brought {
        ready?.document.reservation?.release()
        return .settlement(
            Settlement(
                engagementID: fetch.engagementID, ends: ends, observedAt: observedAt, error: error, record: record))
    }

    /// Back to the queue: nothing was sent, for a reason that is not the jobs'.
    func released(_ cause: Cause) -> Fetcher.Brought {
        let delay: Duration = cause == .shutdown ? .zero : .seconds(1)
        return settled(fetch.jobs.map { JobEnd($0, .release, delay: delay, cause: cause) }, error: nil)
    }

    /// Why nothing was sent.
    func cause(_ credentials: CredentialKeeper, isStopping: Bool) async -> Cause {
        if Task.isCancelled || isStopping { return .shutdown }
        return await credentials.usable == nil ? .credential : .database
    }
}

extension Reply {
    /// What it is to the fallback.
    package var fallbackAnswer: ScopeFallback.Answer {
        switch self {
        case .document, .notModified: .delivered
        case .forbidden(let problem): .forbidden(ScopeHint(problem), requestID: problem.requestID)
        case .rejected(let status, let problem) where (status == 400 || status == 422) && problem.blamesExpand:
            .expandRejected(ScopeHint(problem))
        default: .other
        }
    }

    /// What came back, in words that hold nothing of the engagement: for `last_error` and `dead_letters.error`.
    package var summary: String? {
        switch self {
        case .document, .notModified: nil
        case .contract(let violation): "HTTP \(violation.status), \(violation.kind.rawValue)"
        case .transport(let failure): "\(failure)"
        default: status.map { "HTTP \($0)" }
        }
    }
}
