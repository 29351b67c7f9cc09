import AskElephant
import Postgres
import TestKit

@testable import Enrichment

/// A worker reduced to its calls of the queue, so that a test decides what happens when.
final class QueueHand: Sendable {
    let queue: JobQueue
    let session: Session
    private let writes = WriteNumbers(writer: 1)

    /// - Parameter isAlive: its session holds the shared lock by which others see that it lives.
    init(_ database: TestDatabase, bootID: Int64 = .random(in: .min ... .max), isAlive: Bool = true) {
        queue = JobQueue(bootID: bootID)
        session = Session(database.configuration().connection(role: "claim", sharedLock: isAlive ? bootID : nil))
    }

    func claim(
        _ wanted: Int = 100, from floors: [Lane: JobQueue.Floor] = [:], lease: Duration = .seconds(60)
    ) async throws -> JobQueue.Claimed {
        try await queue.claim(
            [.live: wanted, .normal: wanted, .background: wanted], from: floors, lease: lease, on: session)
    }

    func claimedIDs(_ wanted: Int = 100) async throws -> [Int64] { try await claim(wanted).jobs.map(\.id) }

    var hasSuspects: Bool {
        get async throws { try await queue.hasSuspects(on: session) }
    }

    @discardableResult
    func settle(_ ends: [JobEnd], error: String? = nil, observedAt: String? = nil) async throws -> JobQueue.Settled {
        let settlements = ends.map { end in
            Settlement(
                engagementID: end.job.engagementID.flatMap { EngagementID($0) }, ends: [end], observedAt: observedAt,
                error: error)
        }
        return try await queue.settle(settlements, as: writes.next(), on: session)
    }

    func close() async { await session.close() }
}

/// A test with a database and some hands on its queue.
func withQueue(hands: Int = 1, _ test: (TestDatabase, [QueueHand]) async throws -> Void) async throws {
    try await withTestDatabase { database in
        let hands = (0..<hands).map { _ in QueueHand(database) }
        try await test(database, hands)
        for hand in hands { await hand.close() }
    }
}

extension TestDatabase {
    /// Inserts an id with further columns, in SQL; the row's id.
    @discardableResult
    func insert(_ engagement: String, _ columns: [String: String] = [:]) async throws -> Int64 {
        let names = columns.keys.sorted()
        let columnList = (["engagement_id"] + names).joined(separator: ", ")
        let values = (["'\(engagement)'"] + names.map { columns[$0]! }).joined(separator: ", ")
        let row = try await run("INSERT INTO enrichment_queue (\(columnList)) VALUES (\(values)) RETURNING id").first
        return try row?.integer("id") ?? -1
    }

    /// One column of one queue row.
    func job(_ id: Int64, _ column: String) async throws -> String? {
        try await value("SELECT \(column) FROM enrichment_queue WHERE id = \(id)")
    }
}
