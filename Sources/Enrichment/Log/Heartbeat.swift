/// The record `worker.heartbeat`. Every alert of the manual follows from it alone, since a change that is logged once
/// can be missed.
///
/// As with ``JobDone`` every field is a stored property; null means not known, which is what the counts are while the
/// database is away.
package struct Heartbeat: Equatable, Sendable {
    package enum Verdict: String, CaseIterable, Sendable { case healthy, behind, blocked, paused }
    package enum Limit: String, CaseIterable, Sendable { case api, database, nothing }
    package enum CredentialState: String, CaseIterable, Sendable { case ok, invalid }
    package enum DatabaseState: String, CaseIterable, Sendable { case ok, lost }
    package enum ListenState: String, CaseIterable, Sendable { case ok, polling, lost }

    package var verdict: Verdict
    /// The verdict's reason in a few words.
    package var why: String?
    package var limitedBy: Limit
    /// Jobs that are due, of the normal lane and above.
    package var due: Int?
    /// The age of the oldest of these.
    package var oldestDueSeconds: Double?
    package var backgroundDue: Int?
    /// Jobs that are not due yet.
    package var waiting: Int?
    package var inFlight: Int
    /// Jobs done since the worker started; a count that a missed line does not falsify.
    package var done: Int
    /// Dead letters since the worker started.
    package var dead: Int
    /// Seconds since the last success; null before the first.
    package var lastSuccessSeconds: Double?
    package var requestsPerSecond: Double
    package var credential: CredentialState
    package var db: DatabaseState
    package var listen: ListenState
    package var partsDenied: [String]

    package init(
        verdict: Verdict, why: String?, limitedBy: Limit, due: Int?, oldestDueSeconds: Double?, backgroundDue: Int?,
        waiting: Int?, inFlight: Int, done: Int, dead: Int, lastSuccessSeconds: Double?, requestsPerSecond: Double,
        credential: CredentialState, db: DatabaseState, listen: ListenState, partsDenied: [String]
    ) {
        self.verdict = verdict
        self.why = why
        self.limitedBy = limitedBy
        self.due = due
        self.oldestDueSeconds = oldestDueSeconds
        self.backgroundDue = backgroundDue
        self.waiting = waiting
        self.inFlight = inFlight
        self.done = done
        self.dead = dead
        self.lastSuccessSeconds = lastSuccessSeconds
        self.requestsPerSecond = requestsPerSecond
        self.credential = credential
        self.db = db
        self.listen = listen
        self.partsDenied = partsDenied
    }

    /// All fields, in the order of the contract.
    package var fields: LogFields {
        [
            .verdict: .string(verdict.rawValue), .why: LogValue(why), .limitedBy: .string(limitedBy.rawValue),
            .due: LogValue(due), .oldestDueSeconds: LogValue(oldestDueSeconds),
            .backgroundDue: LogValue(backgroundDue), .waiting: LogValue(waiting), .inFlight: .integer(inFlight),
            .done: .integer(done), .dead: .integer(dead), .lastSuccessSeconds: LogValue(lastSuccessSeconds),
            .requestsPerSecond: .double(requestsPerSecond), .credential: .string(credential.rawValue),
            .db: .string(db.rawValue), .listen: .string(listen.rawValue), .partsDenied: .strings(partsDenied),
        ]
    }

    fileprivate var level: LogLevel {
        switch verdict {
        case .healthy: .info
        case .paused: .notice
        case .behind, .blocked: .warning
        }
    }
}

extension Log {
    /// Writes a heartbeat: healthy at level info, paused at notice, behind and blocked at warning.
    package func callAsFunction(_ beat: Heartbeat) {
        self(beat.level, .workerHeartbeat, "heartbeat", beat.fields)
    }
}
