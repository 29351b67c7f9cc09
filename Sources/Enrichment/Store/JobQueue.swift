import AskElephant
package import Postgres
import SQLText

/// The queue table: claim, extend, settle, reclaim. Each call is one statement and one transaction.
package struct JobQueue: Sendable {
    /// A job that ended without a document, with the token's worker left out.
    typealias End = (end: JobEnd, settlement: Settlement)

    package struct Claimed: Sendable {
        package var jobs: [Job]
        package var clock: String?
        /// The key of the last row of each lane, where the claim of that lane came back full.
        var floors: [Lane: Floor]
    }

    /// A place on the claim's index.
    struct Floor: Sendable {
        var at: String
        var id: Int64

        static let bottom = Floor(at: "-infinity", id: .min)
    }

    package let bootID: Int64

    package init(bootID: Int64) { self.bootID = bootID }

    /// Leases up to `wanted` due jobs of each lane.
    func claim(
        _ wanted: [Lane: Int], from floors: [Lane: Floor], lease: Duration, on session: Session
    ) async throws(PostgresError) -> Claimed {
        let lanes = Lane.inOrder
        let starts = lanes.map { floors[$0] ?? .bottom }
        let rows = try await session.query(
            Statements.jobClaim,
            [
                .bigint(bootID), .double(lease / .seconds(1)), .bigints(lanes.map { Int64(wanted[$0] ?? 0) }),
                .texts(starts.map(\.at)), .bigints(starts.map(\.id)),
            ]
        )
        let claimed = try rows.map { row throws(PostgresError) in try ClaimedRow(row) }
        let ordered = claimed.sorted { ($1.job.lane, $0.place) < ($0.job.lane, $1.place) }
        var full: [Lane: Floor] = [:]
        for lane in lanes {
            let mine = ordered.filter { $0.job.lane == lane }
            if let last = mine.last, mine.count == wanted[lane] { full[lane] = last.key }
        }
        return Claimed(jobs: ordered.map(\.job), clock: ordered.map(\.clock).max(), floors: full)
    }

    /// The same jobs, each with the tag by which its request may ask whether anything changed, where there is one.
    ///
    /// - Parameter wanted: the parts that are fetched as far as the credential reaches.
    func withETags(
        _ jobs: [Job], of wanted: [Expand], on session: Session
    ) async throws(PostgresError) -> [Job] {
        let rows = try await session.query(
            Statements.engagementETags, [.texts(jobs.map(\.engagementID)), .texts(wanted.map(\.rawValue))])
        var tags: [String: StoredETag] = [:]
        for row in rows {
            let parts = try row.text("parts").split(separator: ",").compactMap { Expand(rawValue: String($0)) }
            tags[try row.text("id")] = StoredETag(etag: try row.text("etag"), parts: Set(parts))
        }
        return jobs.map { job in
            var job = job
            job.stored = job.engagementID.flatMap { tags[$0] }
            return job
        }
    }

    /// Leases one due job that has to run alone; nil if there is none.
    func claimSuspect(lease: Duration, on session: Session) async throws(PostgresError) -> Claimed? {
        let rows = try await session.query(
            Statements.jobClaimSuspect, [.bigint(bootID), .double(lease / .seconds(1))])
        guard let row = try rows.first.map({ row throws(PostgresError) in try ClaimedRow(row) }) else { return nil }
        return Claimed(jobs: [row.job], clock: row.clock, floors: [:])
    }

    /// Whether there is one.
    func hasSuspects(on session: Session) async throws(PostgresError) -> Bool {
        try await session.query(Statements.jobSuspects).first?.boolean("are_due") ?? false
    }

    private struct ClaimedRow {
        let job: Job
        let place: Int64
        let key: Floor
        let clock: String

        init(_ row: Row) throws(PostgresError) {
            let id = try row.integer("id")
            var job = Job(
                id: id, claims: try row.integer("claims"), engagementID: try row.textIfPresent("engagement_id"),
                reason: try row.textIfPresent("reason"), lane: Lane(rawValue: Int(try row.integer("lane"))) ?? .normal,
                attempts: Int(try row.integer("attempts")), losses: Int(try row.integer("losses")),
                looks: Int(try row.integer("looks")),
                waitMilliseconds: try row.integer("wait_ms")
            )
            job.isSuppressed = try row.boolean("is_suppressed")
            self.job = job
            place = try row.integer("n")
            key = Floor(at: try row.text("key_at"), id: id)
            clock = try row.text("clock")
        }
    }

    /// Moves the leases ahead; returns the rows that are ours no more: completed, or lost.
    func extend(_ ids: [Int64], lease: Duration, on session: Session) async throws(PostgresError) -> Set<Int64> {
        let rows = try await session.query(
            Statements.jobExtend,
            [.bigints(ids), .bigint(bootID), .double(lease / .seconds(1))]
        )
        return Set(try rows.map { row throws(PostgresError) in try row.integer("id") })
    }

    /// What became of the jobs that ``settle(_:on:)`` found to be still ours.
    struct Settled: Sendable {
        /// Queue rows whose token held; the others were lost to another worker.
        var held: Set<Int64> = []
        /// Among them those whose tombstone a newer observation refused.
        var superseded: Set<Int64> = []
    }

    /// Ends jobs that brought no document.
    func settle(
        _ settlements: [Settlement], as write: WriteNumber, on session: Session
    ) async throws(PostgresError) -> Settled {
        let ends: [End] = settlements.flatMap { settlement in settlement.ends.map { ($0, settlement) } }
        let rows = try await session.query(
            Statements.jobSettle,
            [
                .bigint(bootID), .bigints(ends.map(\.end.job.id)), .bigints(ends.map(\.end.job.claims)),
                .texts(ends.map(\.end.action.rawValue)), .doubles(ends.map { $0.end.delay / .seconds(1) }),
                .texts(ends.map { $0.end.looked ? "true" : "false" }),
                .texts(ends.map { $0.end.isCharged ? "true" : "false" }),
                .texts(ends.map(\.settlement.engagementID?.rawValue)), .texts(ends.map(\.end.cause?.rawValue)),
                .texts(ends.map(\.settlement.error)), .texts(ends.map(\.settlement.record.requestID)),
                .texts(ends.map(\.end.mark?.rawValue)), .texts(ends.map(\.settlement.observedAt)),
                .bigint(write.writer),
                .bigint(write.number),
            ]
        )
        return try Self.settled(rows)
    }

    /// What became of the jobs if that write was committed, though its answer was lost; nil if it was not.
    func find(_ write: WriteNumber, on session: Session) async throws(PostgresError) -> Settled? {
        guard try await write.isCommitted(bootID, on: session) else { return nil }
        return try Self.settled(
            try await session.query(Statements.writeSettled, write.parameters(bootID)))
    }

    private static func settled(_ rows: [Row]) throws(PostgresError) -> Settled {
        var settled = Settled()
        for row in rows {
            let id = try row.integer("id")
            settled.held.insert(id)
            if try row.boolean("superseded") { settled.superseded.insert(id) }
        }
        return settled
    }

    /// Seconds until the next waiting job is due.
    func nextDue(on session: Session) async throws(PostgresError) -> Duration? {
        let rows = try await session.query(Statements.jobNextDue)
        return try rows.first?.doubleIfPresent("seconds").map { .milliseconds(Int64(max(0, $0) * 1000) + 1) }
    }

    /// The other workers, each with whether nobody holds its lock at this moment.
    func otherWorkers(on session: Session) async throws(PostgresError) -> [Int64: Bool] {
        var others: [Int64: Bool] = [:]
        for row in try await session.query(Statements.workerOthers, [.bigint(bootID)]) {
            others[try row.integer("boot_id")] = try row.boolean("is_gone")
        }
        return others
    }

    /// Gives the jobs of these workers back, if they are really gone; the number for each.
    func reclaim(_ gone: Set<Int64>, on session: Session) async throws(PostgresError) -> [Int64: Int] {
        let rows = try await session.query(Statements.jobReclaim, [.bigints(Array(gone))])
        var reclaimed: [Int64: Int] = [:]
        for row in rows { reclaimed[try row.integer("boot_id")] = Int(try row.integer("n")) }
        return reclaimed
    }

    /// Queues ids as anybody would, for `enqueue` and tests.
    package static func insert(
        _ ids: [String?], reason: String? = nil, priority: Int64 = 0, on session: Session
    ) async throws(PostgresError) {
        _ = try await session.query(Statements.jobInsert, [.texts(ids), .textOrNull(reason), .bigint(priority)])
    }

    /// Queues one engagement that is ours from the start; the job and the database's clock.
    func insertHeld(
        _ engagement: EngagementID, lease: Duration, on session: Session
    ) async throws(PostgresError) -> (job: Job, clock: String) {
        let rows = try await session.query(
            Statements.jobInsertHeld,
            [.text(engagement.rawValue), .bigint(bootID), .double(lease / .seconds(1))]
        )
        guard let row = rows.first else { throw .unexpectedResult(column: "id") }
        var job = Job(
            id: try row.integer("id"), claims: 1, engagementID: engagement.rawValue, reason: "enrich", lane: .live
        )
        job.isSuppressed = try row.boolean("is_suppressed")
        return (job, try row.text("clock"))
    }
}
