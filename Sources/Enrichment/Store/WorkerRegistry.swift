import Postgres
import SQLText

/// The worker's row in `workers`, and the small upkeep that any worker does for all.
struct WorkerRegistry: Sendable {
    let bootID: Int64
    let host: String
    let processID: Int32
    let version: String
    /// The command that it is instead of a worker.
    let command: String?

    /// The worker's sign of life; the first one makes the row.
    ///
    /// - Parameter holdsLock: false behind a pooler, so that others do not take it for dead.
    func register(holdsLock: Bool, on session: Session) async throws(PostgresError) {
        _ = try await session.query(
            Statements.workerRegister,
            [
                .bigint(bootID), .text(host), .bigint(Int64(processID)), .text(version), .boolean(holdsLock),
                .textOrNull(command),
            ]
        )
    }

    /// Says for how long inserts shall ring; zero: not at all.
    func idle(for duration: Duration, on session: Session) async throws(PostgresError) {
        _ = try await session.query(Statements.workerIdle, [.bigint(bootID), .double(duration / .seconds(1))])
    }

    func leave(on session: Session) async throws(PostgresError) {
        _ = try await session.query(Statements.workerLeave, [.bigint(bootID)], timeout: .seconds(2))
    }

    /// Clears a slice of expired media URLs; true when there may be more.
    func expireMedia(olderThan age: Duration, on session: Session) async throws(PostgresError) -> Bool {
        let rows = try await session.query(Statements.mediaExpire, [.double(age / .seconds(1))])
        return try rows.first?.integer("n") == 1_000
    }

    /// Says for how long transcripts are kept, to all workers of the database; nil: for ever.
    func keepTranscripts(for age: Duration?, on session: Session) async throws(PostgresError) {
        _ = try await session.query(Statements.transcriptsKeep, [.textOrNull(age.map { "\($0 / .seconds(1))" })])
    }

    /// Drops transcripts that are too old, of a slice of all engagements; true when there may be more.
    func retainTranscripts(on session: Session) async throws(PostgresError) -> Bool {
        try await session.query(Statements.transcriptsRetain).first?.boolean("has_more") ?? false
    }

    /// Deletes a slice of what is too old in the outbox; true when there may be more.
    func pruneOutbox(on session: Session) async throws(PostgresError) -> Bool {
        try await session.query(Statements.outboxPrune).first?.boolean("has_more") ?? false
    }

    /// Deletes a slice of what is too old for charts; true when there may be more.
    func pruneActivity(on session: Session) async throws(PostgresError) -> Bool {
        try await session.query(Statements.activityPrune).first?.boolean("has_more") ?? false
    }

    /// How the worker is, and how jobs ended since it said so last, for people.
    func note(_ beat: Heartbeat, _ activity: Activity, on session: Session) async throws(PostgresError) {
        _ = try await session.query(
            Statements.workerBeat, [.bigint(bootID), .text(beat.fields.json), .text(activity.json)],
            timeout: .seconds(5))
    }

    /// What views show as `_workspace`.
    func nameWorkspace(_ name: String, on session: Session) async throws(PostgresError) {
        _ = try await session.query(Statements.workspaceName, [.text(name)])
    }

    func bellChannel(on session: Session) async throws(PostgresError) -> String {
        guard let row = try await session.query(Statements.bellChannel).first else {
            throw .unexpectedResult(column: "channel")
        }
        return try row.text("channel")
    }
}

/// The queue in numbers; those above 10,000 are bounded.
struct QueueSummary: Sendable {
    var due: Int
    var oldestDueSeconds: Double
    var backgroundDue: Int
    var waiting: Int
    /// Who paused all workers; nil: nobody.
    var pausedBy: String?

    static func read(on session: Session) async throws(PostgresError) -> QueueSummary {
        guard let row = try await session.query(Statements.queueSummary, timeout: .seconds(5)).first else {
            throw .unexpectedResult(column: "due")
        }
        return QueueSummary(
            due: Int(try row.integer("due")),
            oldestDueSeconds: try row.doubleIfPresent("oldest_due_s") ?? 0,
            backgroundDue: Int(try row.integer("background_due")),
            waiting: Int(try row.integer("waiting")),
            pausedBy: try row.textIfPresent("paused_by")
        )
    }
}
