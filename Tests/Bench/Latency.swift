import AskElephant
import Postgres
import SQLText
import TestKit

/// From an INSERT to the committed row, one job at a time, and what each leg of that way takes by itself.
struct Latency {
    private static let samples = 300
    private static let clock = ContinuousClock()

    private let scene: Scene
    private var ground: Ground { scene.ground }

    init(_ scene: Scene) { self.scene = scene }

    func measure(_ report: inout Report) async throws {
        try await ground.prepare(scene.seeds)
        // Tells of the commit, as anybody could who waits for a row.
        try await ground.cluster.run(
            """
            CREATE OR REPLACE FUNCTION bench_tell() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NOTIFY bench; RETURN NULL; END';
            CREATE TRIGGER bench_tell AFTER INSERT ON engagements FOR EACH ROW EXECUTE FUNCTION bench_tell()
            """)
        var whole: [Double] = []
        try await Running.with(ground, [scene.site]) { _ in
            let (inserter, listener) = (try await ground.connect(), try await ground.connect())
            _ = try await listener.run(script: "LISTEN bench", name: "listen")
            for one in scene.rest.prefix(Self.samples) {
                let start = Self.clock.now
                _ = try await inserter.query(Self.insert, [.text(one.id)])
                guard try await !listener.waitForNotifications(timeout: .seconds(10)).isEmpty else {
                    throw BenchError("no row after 10 s")
                }
                whole.append((Self.clock.now - start) / .milliseconds(1))
                try await Task.sleep(for: .milliseconds(25))
            }
            for connection in [inserter, listener] { await connection.close() }
        }
        report.add("latency p50 ms", whole.median)
        report.add("latency p99 ms", whole.quantile(0.99))
        let legs = try await measureLegs()
        for (name, values) in legs { report.add("latency \(name) p50 ms", values.median) }
        report.add("latency legs' p50 ms", legs.map(\.1.median).reduce(0, +))
        try await ground.cluster.run("DROP TRIGGER bench_tell ON engagements")
    }

    private static let insert = Statement(
        name: "bench_insert", sql: "INSERT INTO enrichment_queue (engagement_id) VALUES ($1)")

    /// Each as the worker does it, with nobody else at work: INSERT, claim, GET, write.
    private func measureLegs() async throws -> [(String, [Double])] {
        try await ground.prepare(scene.seeds)
        var configuration = Client.Configuration(baseURL: try BaseURL(scene.site.url), userAgent: "bench")
        configuration.concurrency = 1
        let client = Client(configuration)
        let credential = Credential(Secret(Running.token))!
        let budget = ByteBudget(total: 1 << 20, largestBody: configuration.maxBodyBytes)
        let (inserter, claimer) = (try await ground.connect(), try await ground.connect(synchronousCommit: false))
        let writing = Writing(ground, connections: 1, batch: 1)
        let writer = try await ground.connect()
        var (inserts, claims, gets, writes): ([Double], [Double], [Double], [Double]) = ([], [], [], [])
        for one in scene.rest.prefix(Self.samples) {
            try await Self.time(&inserts) { _ = try await inserter.query(Self.insert, [.text(one.id)]) }
            let job = try await Self.time(&claims) { try await writing.claimOne(one, on: claimer) }
            try await Self.time(&gets) {
                let reply = await client.getEngagement(
                    EngagementID(one.id)!, expand: Expand.allCases, credential: credential, budget: budget)
                guard case .document(let document) = reply else { throw BenchError("the site answers \(reply)") }
                document.reservation?.release()
            }
            try await Self.time(&writes) { try await Writing.write([job], 1, writer) }
            try await Task.sleep(for: .milliseconds(25))
        }
        await client.shutdown()
        for connection in [inserter, claimer, writer] { await connection.close() }
        return [("INSERT", inserts), ("claim", claims), ("GET", gets), ("write", writes)]
    }

    @discardableResult
    private static func time<Result>(
        _ times: inout [Double], _ work: () async throws -> Result
    ) async throws -> Result {
        let start = clock.now
        let result = try await work()
        times.append((clock.now - start) / .milliseconds(1))
        return result
    }
}
