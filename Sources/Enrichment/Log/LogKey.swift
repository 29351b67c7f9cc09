/// Every field that a record may carry beside the four that all of them have, in the order in which they make sense.
///
/// An enum, so that no key is misspelled and the manual's table can be checked against it. Units end the names.
/// There is no key for a token, a URL, a transcript, an e-mail address or a title, because none may be logged.
package enum LogKey: String, CaseIterable, CodingKey, Sendable {
    // The job.
    case jobID = "job_id"
    case engagementID = "engagement_id"
    case reason
    case outcome
    case cause
    case httpStatus = "http_status"
    case claim
    case attempt
    case waitMilliseconds = "wait_ms"
    case fetchMilliseconds = "fetch_ms"
    case writeMilliseconds = "write_ms"
    case requests
    case partsMissing = "parts_missing"
    case coalesced
    case requestID = "request_id"
    case worker
    /// Where a process works for several.
    case workspace

    // The heartbeat.
    case verdict
    case why
    case limitedBy = "limited_by"
    case due
    case oldestDueSeconds = "oldest_due_s"
    case backgroundDue = "background_due"
    case waiting
    case inFlight = "in_flight"
    case done
    case dead
    case lastSuccessSeconds = "last_success_s"
    case requestsPerSecond = "requests_per_s"
    case credential
    case db
    case listen
    case partsDenied = "parts_denied"

    // The worker and its surroundings.
    case bootID = "boot_id"
    case host
    case pid
    case version
    case schema
    case schemaVersion = "schema_version"
    case channel
    case pooled
    case concurrency
    case expectedPeakMegabytes = "expected_peak_mb"
    case configuration
    case exitCode = "exit_code"

    // The receiver.
    case address
    case type
    case stored
    case repeated
    case ignored
    case refused
    case unavailable

    // The list.
    case pages
    case listed
    case queued

    // The API.
    case part
    case parts
    case scope
    case delayMilliseconds = "delay_ms"
    case durationMilliseconds = "duration_ms"
    case skewMilliseconds = "skew_ms"

    // The database. Of its errors only what cannot quote a document.
    case sqlstate
    case severity
    case constraint
    case table
    case statement
    case role

    // A library of others.
    case library
    case text

    // Anything.
    case n
    case error
    case hint

    /// The names that every record begins with; no field may have one of them.
    package static let fixed = ["ts", "level", "event", "msg"]
}
