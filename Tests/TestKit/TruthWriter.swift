package import Postgres
import SQLText

/// Calls the functions of the queue and the store as a worker does, one call at a time: for tests of their order.
package struct TruthWriter: Sendable {
    package let connection: Connection
    package let boot: Int64
    private static let writes = Counter()

    package init(_ database: TestDatabase, boot: Int64 = 7) async throws {
        connection = try await database.connect()
        self.boot = boot
    }

    /// Gives the body a writer on a database of its own.
    package static func run(_ body: (TestDatabase, TruthWriter) async throws -> Void) async throws {
        let database = try await TestDatabase()
        do {
            let writer = try await TruthWriter(database)
            try await body(database, writer)
            await writer.connection.close()
        } catch {
            await database.drop()
            throw error
        }
        await database.drop()
    }

    /// A claimed queue row.
    package struct Job: Sendable {
        package let id: Int64
        package var claims: Int64
        package let engagementID: String
    }

    /// One answer of the API and the job that it is for.
    package struct Snapshot: Sendable {
        package var job: Job
        /// Nil for an answer that it is as it was (304).
        package var json: [UInt8]?
        package var etag: String?
        package var observedAt: String
        package var asked: [String]

        package init(
            _ job: Job, _ json: some StringProtocol, observed: String, asked: [String] = TruthDocument.parts
        ) {
            self.job = job
            self.json = Array(json.utf8)
            observedAt = observed
            self.asked = asked
        }

        package init(_ job: Job, unchangedSince etag: String, observed: String, asked: [String]) {
            self.job = job
            self.etag = etag
            observedAt = observed
            self.asked = asked
        }
    }

    package struct Written: Sendable, Equatable {
        package let outcome: String
        package let cause: String?
        package let missing: String?
        package let lost: String?

        package init(outcome: String, cause: String? = nil, missing: String? = nil, lost: String? = nil) {
            self.outcome = outcome
            self.cause = cause
            self.missing = missing
            self.lost = lost
        }
    }

    /// A new queue row of the engagement, held from the start.
    package func hold(_ engagement: String) async throws -> Job {
        let rows = try await connection.query(
            Statements.jobInsertHeld, [.text(engagement), .bigint(boot), .double(600)])
        return Job(id: try rows[0].integer("id"), claims: 1, engagementID: engagement)
    }

    /// Leases what is due, up to 100 of each lane.
    package func claim() async throws -> [Job] {
        let rows = try await connection.query(
            Statements.jobClaim,
            [
                .bigint(boot), .double(600), .bigints([100, 100, 100]),
                .texts(["-infinity", "-infinity", "-infinity"]), .bigints([.min, .min, .min]),
            ]
        )
        return try rows.map { row in
            Job(
                id: try row.integer("id"), claims: try row.integer("claims"),
                engagementID: try row.text("engagement_id"))
        }
    }

    /// Writes the snapshots in one call; the results in their order.
    package func ingest(
        _ snapshots: [Snapshot], wanted: [String] = TruthDocument.parts, force: Bool = false
    ) async throws -> [Written] {
        let nothing = [String?](repeating: nil, count: snapshots.count)
        let rows = try await connection.query(
            Statements.engagementIngest,
            [
                .bigint(boot), .bigints(snapshots.map(\.job.id)), .bigints(snapshots.map(\.job.claims)),
                .bigints((1...snapshots.count).map(Int64.init)), .texts(snapshots.map(\.job.engagementID)),
                .utf8(snapshots.map(\.json)), .texts(nothing), .texts(snapshots.map(\.observedAt)),
                .texts(snapshots.map { $0.asked.joined(separator: ",") }), .texts(nothing),
                .texts(snapshots.map(\.etag)), .texts(nothing), .texts(nothing), .texts(wanted), .boolean(force),
                .bigint(1),
                .bigint(Int64(Self.writes.next())),
            ]
        )
        return try rows.sorted { try $0.integer("document") < $1.integer("document") }.map { row in
            Written(
                outcome: try row.text("outcome"), cause: try row.textIfPresent("cause"),
                missing: try row.textIfPresent("missing"), lost: try row.textIfPresent("lost"))
        }
    }

    /// Holds a new job of the document's engagement and writes it.
    @discardableResult
    package func write(
        _ document: TruthDocument, observed: String, asked: [String] = TruthDocument.parts, force: Bool = false
    ) async throws -> Written {
        let snapshot = Snapshot(try await hold(document.id), document.json, observed: observed, asked: asked)
        return try await ingest([snapshot], force: force)[0]
    }

    /// Holds a new job of the engagement, of which the source said that it is as it was with that tag.
    @discardableResult
    package func confirm(
        _ engagement: String, etag: String, asked: [String], observed: String
    ) async throws -> Written {
        let job = try await hold(engagement)
        return try await ingest([Snapshot(job, unchangedSince: etag, observed: observed, asked: asked)])[0]
    }

    /// How a job ends without a document.
    package enum End: String, Sendable {
        /// 404 or 403: back to the queue, and what is held counts as unreadable.
        case unreadable
        /// 404 or 410 for a job whose reason is `deleted`.
        case deleted
    }

    /// Ends a new job of the engagement; whether a newer observation refused it, nil when the job was lost.
    @discardableResult
    package func settle(_ engagement: String, _ end: End, observed: String) async throws -> Bool? {
        let job = try await hold(engagement)
        let rows = try await connection.query(
            Statements.jobSettle,
            [
                .bigint(boot), .bigints([job.id]), .bigints([job.claims]),
                .texts([end == .deleted ? "deleted" : "release"]), .doubles([600]), .texts(["true"]), .texts(["false"]),
                .texts([engagement]), .texts([end == .deleted ? nil : "not_found"]), .texts(["HTTP 404"]),
                .texts([nil]), .texts([end.rawValue]), .texts([observed]), .bigint(1),
                .bigint(Int64(Self.writes.next())),
            ]
        )
        guard let row = rows.first else { return nil }
        return try row.boolean("superseded")
    }
}
