/// What a heartbeat says of the worker's health: pure.
struct Diagnosis: Sendable, Equatable {
    /// What is known at the time of the beat.
    struct Facts: Sendable {
        /// Nil while the database is away.
        var due: Int?
        /// Why it is away.
        var databaseTrouble: String?
        var oldestDueSeconds: Double = 0
        /// Documents that are fetched and not yet written.
        var unwritten = 0
        /// Who paused all workers; nil: nobody.
        var pausedBy: String?
        /// Why the credential does not serve.
        var credentialTrouble: String?
        var apiIsAway = false
        /// Within the last minute a request found it so: with few jobs there may be none that is due at the moment.
        var apiFailedLately = false
    }

    /// A worker whose oldest due job waits longer than this is behind.
    static let patienceSeconds: Double = 60
    /// With a whole batch waiting to be written, writing is what takes the time.
    static let backlogOfWriters = Outbox.maxDocuments

    var verdict: Heartbeat.Verdict
    var why: String?
    var limitedBy: Heartbeat.Limit

    init(_ facts: Facts) {
        guard let due = facts.due else {
            let why = facts.databaseTrouble.map { ": \($0)" } ?? ""
            self.init(.blocked, "the database does not serve" + why, .database)
            return
        }
        if let person = facts.pausedBy {
            self.init(.paused, "paused by \(person); engagement-worker resume lets the workers go on", .nothing)
        } else if let trouble = facts.credentialTrouble {
            self.init(.blocked, trouble, .api)
        } else if facts.apiIsAway, due > 0 || facts.apiFailedLately {
            self.init(.blocked, "the API does not serve", .api)
        } else if due == 0 {
            self.init(.healthy, nil, .nothing)
        } else {
            let limit: Heartbeat.Limit = facts.unwritten >= Self.backlogOfWriters ? .database : .api
            let isBehind = facts.oldestDueSeconds > Self.patienceSeconds
            self.init(
                isBehind ? .behind : .healthy, isBehind ? "the oldest due job waits longer than a minute" : nil, limit)
        }
    }

    private init(_ verdict: Heartbeat.Verdict, _ why: String?, _ limitedBy: Heartbeat.Limit) {
        self.verdict = verdict
        self.why = why
        self.limitedBy = limitedBy
    }
}
