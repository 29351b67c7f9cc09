import AskElephant
import Glibc
import Postgres
import SQLText
import TestKit

/// The product's own statements, fed from memory: what writing costs without an API.
struct Writing {
    struct Job: Sendable {
        let id: Int64
        let claims: Int64
        let document: Documents.One
    }

    private static let boot: Int64 = 7
    private static let numbers = Counter()
    private static let parts = Expand.allCases.map(\.rawValue)

    let ground: Ground
    let connections: Int
    /// Documents a transaction.
    let batch: Int

    init(_ ground: Ground, connections: Int, batch: Int) {
        (self.ground, self.connections, self.batch) = (ground, connections, batch)
    }

    /// Queues and claims the jobs, then writes; the seconds that the writing took.
    ///
    /// - Parameter first: what the same connections write before, uncounted: their statements are planned then.
    func run(
        _ documents: ArraySlice<Documents.One>, after first: ArraySlice<Documents.One> = []
    ) async throws -> Double {
        var open: [Connection] = []
        for _ in 0..<connections { open.append(try await ground.connect()) }
        if !first.isEmpty { _ = try await write(first, on: open) }
        let seconds = try await write(documents, on: open)
        for connection in open { await connection.close() }
        return seconds
    }

    private func write(_ documents: ArraySlice<Documents.One>, on open: [Connection]) async throws -> Double {
        try await ground.enqueue(documents.map(\.id))
        let jobs = try await claim(documents)
        guard jobs.count == documents.count else {
            throw BenchError("\(jobs.count) of \(documents.count) jobs claimed")
        }
        let batches = stride(from: 0, to: jobs.count, by: batch).map { Array(jobs[$0..<min($0 + batch, jobs.count)]) }
        let count = connections
        let start = ContinuousClock.now
        try await withThrowingTaskGroup(of: Void.self) { group in
            for (lane, connection) in open.enumerated() {
                group.addTask {
                    for number in stride(from: lane, to: batches.count, by: count) {
                        try await Self.write(batches[number], Int64(lane + 1), connection)
                    }
                }
            }
            try await group.waitForAll()
        }
        return (ContinuousClock.now - start) / .seconds(1)
    }

    private func claim(_ documents: ArraySlice<Documents.One>) async throws -> [Job] {
        let byID = Dictionary(uniqueKeysWithValues: documents.map { ($0.id, $0) })
        let connection = try await ground.connect()
        var jobs: [Job] = []
        while true {
            let rows = try await Self.claim(100, on: connection)
            if rows.isEmpty { break }
            for row in rows {
                guard let document = byID[try row.text("engagement_id")] else { throw BenchError("a foreign job") }
                jobs.append(Job(id: try row.integer("id"), claims: try row.integer("claims"), document: document))
            }
        }
        await connection.close()
        return jobs
    }

    /// The one job that is due.
    func claimOne(_ document: Documents.One, on connection: Connection) async throws -> Job {
        guard let row = try await Self.claim(1, on: connection).first else { throw BenchError("no job") }
        return Job(id: try row.integer("id"), claims: try row.integer("claims"), document: document)
    }

    private static func claim(_ count: Int64, on connection: Connection) async throws -> [Row] {
        try await connection.query(
            Statements.jobClaim,
            [
                .bigint(boot), .double(600), .bigints([0, count, 0]),
                .texts([String](repeating: "-infinity", count: 3)), .bigints([.min, .min, .min]),
            ])
    }

    static func write(_ jobs: [Job], _ writer: Int64, _ connection: Connection) async throws {
        let nothing = [String?](repeating: nil, count: jobs.count)
        let clock = try await connection.query(clock).first?.text("at") ?? ""
        let rows = try await connection.query(
            Statements.engagementIngest,
            [
                .bigint(boot), .bigints(jobs.map(\.id)), .bigints(jobs.map(\.claims)),
                .bigints((1...jobs.count).map(Int64.init)), .texts(jobs.map(\.document.id)),
                .utf8(jobs.map(\.document.json)), .utf8(jobs.map(\.document.transcript)),
                .texts([String](repeating: clock, count: jobs.count)),
                .texts([String](repeating: parts.joined(separator: ","), count: jobs.count)), .texts(nothing),
                .texts(nothing), .texts(nothing), .texts(nothing), .texts(parts), .boolean(false), .bigint(writer),
                .bigint(Int64(numbers.next())),
            ])
        let outcomes = Set(try rows.map { try $0.text("outcome") })
        guard rows.count == jobs.count, outcomes.isSubset(of: ["enriched", "partial", "unchanged"]) else {
            throw BenchError("written as \(outcomes)")
        }
    }

    private static let clock = Statement(name: "bench_clock", sql: "SELECT clock_timestamp()::text AS at")
}
