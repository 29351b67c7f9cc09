import Postgres
import TestKit

/// Claims and completes by the product's own functions, with nothing between: what the queue costs. As in the worker claims
/// begin where the last one ended, and their commits do not wait for the disk.
struct Queueing {
    private static let claim = Statement(
        name: "bench_claim",
        sql: """
            SELECT count(*) AS n, array_agg(id)::text AS ids, array_agg(claims)::text AS claims, array_agg(n)::text AS items,
                   (array_agg(key_at ORDER BY n DESC))[1]::text AS at, (array_agg(id ORDER BY n DESC))[1] AS id
            FROM claim($1, 60, '{0,100,0}', ARRAY['-infinity', $2, '-infinity'], ARRAY[0, $3, 0])
            """)
    private static let take = Statement(
        name: "bench_take",
        sql: "SELECT FROM take_jobs($1, $2::text::bigint[], $3::text::bigint[], $4::text::bigint[])")

    /// Jobs a second until that many are done, by four connections, each with a boot id of its own.
    static func rate(_ ground: Ground, jobs: Int) async throws -> Double {
        let count = 4
        var claiming: [Connection] = []
        var taking: [Connection] = []
        for _ in 0..<count {
            claiming.append(try await ground.connect(synchronousCommit: false))
            taking.append(try await ground.connect())
        }
        let start = ContinuousClock.now
        let done = try await withThrowingTaskGroup(of: Int.self) { group in
            for (number, (claimer, taker)) in zip(claiming, taking).enumerated() {
                group.addTask { try await run(claimer, taker, boot: Int64(number + 1), jobs: jobs / count) }
            }
            return try await group.reduce(0, +)
        }
        let seconds = (ContinuousClock.now - start) / .seconds(1)
        for connection in claiming + taking { await connection.close() }
        return Double(done) / seconds
    }

    private static func run(
        _ claimer: Connection, _ taker: Connection, boot: Int64, jobs: Int
    ) async throws -> Int {
        var done = 0
        var floor: (at: String, id: Int64) = ("-infinity", 0)
        while done < jobs {
            let claimed = try await claimer.query(
                claim, [.bigint(boot), .text(floor.at), .bigint(floor.id)])
            guard let row = claimed.first, let ids = try row.textIfPresent("ids") else { break }
            floor = (try row.text("at"), try row.integer("id"))
            _ = try await taker.query(
                take, [.bigint(boot), .text(ids), .text(try row.text("claims")), .text(try row.text("items"))])
            done += Int(try row.integer("n"))
        }
        return done
    }
}
