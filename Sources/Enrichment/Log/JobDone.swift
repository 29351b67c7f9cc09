/// The record `job.done`, exactly one for each claim that its worker lived to end.
///
/// Every field is a stored property, so that the compiler asks for all of them: in the log each is always present,
/// and null where it is not known.
package struct JobDone: Equatable, Sendable {
    /// How a claim ended.
    package enum Outcome: String, CaseIterable, Sendable {
        case enriched
        case unchanged
        /// Written, but a part is missing for another cause than `not_ready`.
        case partial
        /// A newer snapshot was there already.
        case superseded
        case deleted
        /// A failure that is charged to the job, which is tried again later.
        case retry
        /// Back in the queue and uncharged.
        case released
        case dead
        /// The engagement was purged, and is not stored again.
        case suppressed
        case leaseLost = "lease_lost"
    }

    /// The queue row.
    package var jobID: Int64
    /// Null when the row has none.
    package var engagementID: String?
    /// Why the job was queued.
    package var reason: String?
    package var outcome: Outcome
    /// Why it failed, or why something is missing.
    package var cause: String?
    /// The status of the last response, if there was one.
    package var httpStatus: Int?
    package var claim: Int
    package var attempt: Int
    /// From `due_at` to the claim.
    package var waitMilliseconds: Int64?
    package var fetchMilliseconds: Int64?
    package var writeMilliseconds: Int64?
    package var requests: Int
    package var partsMissing: [String]
    /// Further queue rows that hung on this one; they have no line of their own.
    package var coalesced: Int
    package var requestID: String?
    /// The worker's boot id; text, since 64 bits do not fit a JSON number.
    package var worker: String

    package init(
        jobID: Int64, engagementID: String?, reason: String?, outcome: Outcome, cause: String?, httpStatus: Int?,
        claim: Int, attempt: Int, waitMilliseconds: Int64?, fetchMilliseconds: Int64?, writeMilliseconds: Int64?,
        requests: Int, partsMissing: [String], coalesced: Int, requestID: String?, worker: String
    ) {
        self.jobID = jobID
        self.engagementID = engagementID
        self.reason = reason
        self.outcome = outcome
        self.cause = cause
        self.httpStatus = httpStatus
        self.claim = claim
        self.attempt = attempt
        self.waitMilliseconds = waitMilliseconds
        self.fetchMilliseconds = fetchMilliseconds
        self.writeMilliseconds = writeMilliseconds
        self.requests = requests
        self.partsMissing = partsMissing
        self.coalesced = coalesced
        self.requestID = requestID
        self.worker = worker
    }

    /// All fields, in the order of the contract.
    package var fields: LogFields {
        [
            .jobID: LogValue(jobID), .engagementID: LogValue(engagementID), .reason: LogValue(reason),
            .outcome: .string(outcome.rawValue), .cause: LogValue(cause), .httpStatus: LogValue(httpStatus),
            .claim: .integer(claim), .attempt: .integer(attempt), .waitMilliseconds: LogValue(waitMilliseconds),
            .fetchMilliseconds: LogValue(fetchMilliseconds), .writeMilliseconds: LogValue(writeMilliseconds),
            .requests: .integer(requests), .partsMissing: .strings(partsMissing), .coalesced: .integer(coalesced),
            .requestID: LogValue(requestID), .worker: .string(worker),
        ]
    }
}

extension Log {
    /// Writes the one line of a claim: a dead letter at level notice, everything else at info.
    package func callAsFunction(_ done: JobDone) {
        self(done.outcome == .dead ? .notice : .info, .jobDone, "job done", done.fields)
    }
}
