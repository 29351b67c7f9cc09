import Glibc
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
                let database = ["DATABASE_URL": cluster.conninfo]
                let believer = try stage.start(["run"], database)
                try await believer.waitFor("worker.ready")
                try await cluster.run(insertion(stage, [100]))
                try await eventually("a first job") { try await cluster.count(Stage.jobs) == 0 }
                let numbers = try await takeBackClaims(of: believer, cluster, stage) { ids in
                    for id in ids { try await stage.world.waitForRequest(id) }
                }
                // That something was read with the credential may be lost, too: then the first request would go out alone.
                try await cluster.run(
                    "INSERT INTO credentials (name, state) VALUES ('default', 'ok') ON CONFLICT (name) DO UPDATE SET state = 'ok'"
                )
                let holder = try stage.start(["run"], database)
                for id in stage.ids(numbers) { try await stage.world.waitForRequest(id, count: 2) }
                #expect(try await cluster.count(Self.claims) == 1, "it is the same claim")
                try await holder.freeze()
                let stored = try await cluster.count("SELECT count(*) FROM audit_writes")
                for id in stage.ids(numbers) { stage.world.releaseHold(id) }
                believer.thaw()
                try await eventually("it has lost them") {
                    believer.records(of: "job.done").count { $0["outcome"] as? String == "lease_lost" } == 8
                }
                #expect(try await cluster.count("SELECT count(*) FROM audit_writes") == stored)
                holder.thaw()
                try await eventually("they are done") { try await cluster.count(Stage.jobs) == 0 }
                #expect(try await cluster.count("SELECT count(*) FROM audit_writes") == stored + 8)
                #expect(try await cluster.value(Audit.faults) == "")
            }
        }
    }

    /// As above, but the worker itself claims again what it still believes to hold: it has each row once, and gives each back.
    @Test func aWorkerThatClaimsAgainWhatACrashTookBackHasItOnce() async throws {
        try await PrivateCluster.run(options: ["fsync = off", "wal_writer_delay = 10s"]) { cluster in
            try await Stage.run { stage in
                let worker = try stage.start(
                    ["run", "--concurrency", "1", "--drain-timeout", "5s"], ["DATABASE_URL": cluster.conninfo])
                try await worker.waitFor("worker.ready")
                try await cluster.run(insertion(stage, [100]))
                try await eventually("a first job") { try await cluster.count(Stage.jobs) == 0 }
                // One is asked for, the others wait for it.
                let numbers = try await takeBackClaims(of: worker, cluster, stage) { _ in
                    try await eventually("all are claimed") { try await cluster.count(Self.leases) == 8 }
                }
                worker.thaw()
                try await eventually("it has them again") { try await cluster.count(Self.leases) == 8 }
                worker.signal(SIGTERM)
                #expect(try await worker.exitStatus() == 0)
                #expect(try await cluster.count(Self.leases) == 0, "it gave all of them back")
                let given = worker.records(of: "job.done").filter { $0["outcome"] as? String == "released" }
                #expect(Set(given.compactMap { $0["engagement_id"] as? String }) == Set(stage.ids(numbers)))
                #expect(try await cluster.count("SELECT count(*) FROM enrichment_queue WHERE attempts > 0") == 0)
            }
        }
    }

    /// Eight jobs whose claims the server forgot in a crash; the worker that made them is frozen.
    private func takeBackClaims(
        of worker: WorkerProcess, _ cluster: PrivateCluster, _ stage: Stage,
        once isHeld: ([String]) async throws -> Void
    ) async throws -> Range<Int> {
        // A commit that somebody waits for, a moment after the claim, would keep it: then with other jobs again.
        for numbers in stride(from: 0, to: 40, by: 8).map({ $0..<$0 + 8 }) {
            for id in stage.ids(numbers) { stage.world.hold(id) }
            try await cluster.run(insertion(stage, Array(numbers)))
            try await isHeld(stage.ids(numbers))
            try await worker.freeze()
            try await cluster.restart(.immediate)
            if try await cluster.count(Self.claims) == 0 { return numbers }
            worker.thaw()
            for id in stage.ids(numbers) { stage.world.releaseHold(id) }
            try await eventually("none is left") { try await cluster.count(Stage.jobs) == 0 }
        }
        Issue.record("no claim was lost in any crash")
        throw CancellationError()
    }

    private func insertion(_ stage: Stage, _ numbers: [Int]) -> String {
        "INSERT INTO enrichment_queue (engagement_id) VALUES "
            + numbers.map { "('\(stage.world.id($0))')" }.joined(separator: ",")
    }

    private static let claims = "SELECT max(claims) FROM enrichment_queue"
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
