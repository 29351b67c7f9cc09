import Postgres
import Simulator
import TestKit
import Testing

/// Restarts and crashes of the server under load, by what the audit's triggers saw.
@Suite(.serialized) struct RestartTests {
    /// The server ends right after claims, whose commits are asynchronous and may be lost: then the same row is claimed by
    /// two workers at different times, and only the second may write.
    @Test func restartsOfTheServerLoseNothingAndChargeNobody() async throws {
        // A commit that nobody waits for is in the server's memory alone for 10 s.
        try await PrivateCluster.run(options: ["fsync = off", "wal_writer_delay = 10s"]) { cluster in
            try await Stage.run { stage in try await Self.restart(cluster, stage) }
        }
    }

    /// The first worker's claim is lost in the crash, so the second makes the same one: same row, same number. Only by its
    /// own name does the row know its holder.
    @Test func aClaimThatACrashTookBackDoesNotWrite() async throws {
        try await PrivateCluster.run(options: ["fsync = off", "wal_writer_delay = 10s"]) { cluster in
            try await Stage.run { stage in
                try await cluster.run(Audit.install)
                let (database, tokens) = (
                    ["DATABASE_URL": cluster.conninfo], "SELECT max(claims) FROM enrichment_queue"
                )
                let believer = try stage.start(["run"], database)
                try await believer.waitFor("worker.ready")
                try await cluster.run(insertion(stage, [100]))
                try await eventually("a first job") { try await cluster.count(Stage.jobs) == 0 }
                // A commit that somebody waits for, a moment after the claim, would keep it: then with other jobs again.
                var numbers = 0..<10
                while true {
                    for id in stage.ids(numbers) { stage.world.hold(id) }
                    try await cluster.run(insertion(stage, Array(numbers)))
                    for id in stage.ids(numbers) { try await stage.world.waitForRequest(id) }
                    believer.freeze()
                    try await cluster.restart(.immediate)
                    if try await cluster.count(tokens) == 0 { break }
                    try #require(numbers.upperBound < 50, "no claim was lost in any crash")
                    believer.thaw()
                    for id in stage.ids(numbers) { stage.world.releaseHold(id) }
                    try await eventually("none is left") { try await cluster.count(Stage.jobs) == 0 }
                    numbers = numbers.upperBound..<numbers.upperBound + 10
                }
                // That something was read with the credential may be lost, too: then the first request would go out alone.
                try await cluster.run(
                    "INSERT INTO credentials (name, state) VALUES ('default', 'ok') ON CONFLICT (name) DO UPDATE SET state = 'ok'"
                )
                let holder = try stage.start(["run"], database)
                for id in stage.ids(numbers) { try await stage.world.waitForRequest(id, count: 2) }
                #expect(try await cluster.count(tokens) == 1, "it is the same claim")
                holder.freeze()
                let stored = try await cluster.count("SELECT count(*) FROM audit_writes")
                for id in stage.ids(numbers) { stage.world.releaseHold(id) }
                believer.thaw()
                try await eventually("it has lost them") {
                    believer.records(of: "job.done").count { $0["outcome"] as? String == "lease_lost" } == 10
                }
                #expect(try await cluster.count("SELECT count(*) FROM audit_writes") == stored)
                holder.thaw()
                try await eventually("they are done") { try await cluster.count(Stage.jobs) == 0 }
                #expect(try await cluster.count("SELECT count(*) FROM audit_writes") == stored + 10)
                #expect(try await cluster.value(Audit.faults) == "")
            }
        }
    }

    private func insertion(_ stage: Stage, _ numbers: [Int]) -> String {
        "INSERT INTO enrichment_queue (engagement_id) VALUES "
            + numbers.map { "('\(stage.world.id($0))')" }.joined(separator: ",")
    }

    private static let inserts = "SELECT count(*) FROM audit_inserts"
    private static let leases = "SELECT count(*) FROM enrichment_queue WHERE leased_by IS NOT NULL"

    private static func restart(_ cluster: PrivateCluster, _ stage: Stage) async throws {
        try await cluster.run(Audit.install)
        stage.world.setLatency(.milliseconds(200))
        let workers = try (0..<2).map { _ in try stage.start(["run"], ["DATABASE_URL": cluster.conninfo]) }
        for worker in workers { try await worker.waitFor("worker.ready") }
        let application = application(cluster, stage.world)
        var back = Durations()
        let restarts = size("TEST_RESTARTS", or: 4)
        for round in 0..<restarts {
            let before = try await cluster.count(Self.inserts)
            try await eventually("100 inserts, 10 leases") {
                let (inserts, leases) = (try await cluster.count(Self.inserts), try await cluster.count(Self.leases))
                return inserts >= before + 100 && leases >= 10
            }
            try await cluster.restart(round.isMultiple(of: 2) ? .immediate : .fast)
            let ready = ContinuousClock.now
            let done = try await cluster.count("SELECT count(*) FROM audit_gone")
            try await eventually("a job ends after the restart") {
                try await cluster.count("SELECT count(*) FROM audit_gone") > done
            }
            back.add(.now - ready)
        }
        application.cancel()
        let inserted = try await application.value
        try await eventually(within: .seconds(120), "the queue is empty") { try await cluster.count(Stage.jobs) == 0 }
        try #require(try await cluster.count("SELECT count(*) FROM dead_letters") == 0)
        let stored = Set(try await cluster.run("SELECT id FROM engagements").map { try $0.text(named: "id") })
        #expect(inserted.count >= restarts * 80)
        try #require(inserted.count { !stored.contains($0) } == 0, "committed inserts are lost")
        try #require(try await cluster.value(Audit.faults) == "")
        try #require(try await cluster.count(Audit.stale) == 0)
        for worker in workers {
            #expect(worker.isRunning)
            #expect(!worker.records(of: "db.restored").isEmpty)
            #expect(worker.records(of: "lease.reclaimed").isEmpty)
        }
        if restarts >= 20 { #expect(back.median <= .seconds(3)) }
        printFigure(
            "restarts: \(restarts), every other one a crash, \(inserted.count) committed inserts meanwhile: 0 lost,"
                + " 0 charged; from ready to the first job done: \(back)")
    }

    /// Inserts 20 ids every 50 ms, whatever becomes of the server; ends with those that were acknowledged.
    private static func application(_ cluster: PrivateCluster, _ world: World) -> Task<[String], any Error> {
        Task {
            let session = Session(
                ConnectionConfiguration(
                    conninfo: cluster.conninfo, applicationName: "application", schema: "askelephant"))
            let insert = Statement(
                name: "insert", sql: "INSERT INTO enrichment_queue (engagement_id) SELECT unnest($1::text[])")
            var (acknowledged, next) = ([String](), 0)
            while !Task.isCancelled {
                let ids = (next..<next + 20).map { world.id($0) }
                next += 20
                if (try? await session.query(insert, [.utf8(ids.map { Array($0.utf8) })])) != nil {
                    acknowledged += ids
                }
                try? await Task.sleep(for: .milliseconds(50))
            }
            await session.close()
            return acknowledged
        }
    }
}
