import Foundation
import Glibc
import Simulator
import TestKit
import Testing

/// Workers that are killed without a word, and what becomes of their jobs.
@Suite(.serialized) struct KillTests {
    private static let kills = 10

    private static var jobs: Int {
        ProcessInfo.processInfo.environment["TEST_JOBS"].flatMap { Int($0) } ?? 20_000
    }

    @Test func tenKillsLoseNothingAndChargeNobody() async throws {
        try await Stage.run { stage in
            try await stage.database.run(Audit.install)
            stage.world.setLatency(.milliseconds(20))
            let ids = stage.ids(0..<Self.jobs)
            try await stage.insert(ids)
            var workers = [try await stage.worker(), try await stage.worker()]
            for kill in 1...Self.kills {
                // The kills are spread over the work, so that each meets a worker in the middle of it.
                let left = Self.jobs * (Self.kills + 1 - kill) / (Self.kills + 1)
                try await eventually(within: .seconds(300), "\(left) jobs left") {
                    try await stage.database.count(Stage.jobs) <= left
                }
                let victim = kill % 2
                try await stage.waitForLeases(10, of: workers[victim])
                try await workers[victim].kill9()
                workers[victim] = try stage.start(["run"])
            }
            try await stage.drained(within: .seconds(300))
            let found = try await stage.database.value(Audit.faults)
            #expect(found == "")
            #expect(try await stage.database.count(Audit.stale) == 0)
            #expect(try await stage.database.count("SELECT count(*) FROM engagements") == Self.jobs)
            #expect(try await stage.database.count("SELECT count(*) FROM audit_gone") == Self.jobs)
            let lost = try await stage.database.count("SELECT count(*) FROM audit_claims") - Self.jobs
            #expect(lost >= 10, "the kills hit nobody's jobs")
        }
    }

    @Test func jobsOfADeadWorkerRunAgainWithinTwoSeconds() async throws {
        try await Stage.run { stage in
            let ids = stage.ids(0..<30)
            for id in ids { stage.world.hold(id) }
            let victim = try await stage.worker()
            try await stage.insert(ids)
            try await stage.waitForLeases(30, of: victim)
            let other = try await stage.worker()
            let killed = ContinuousClock.now
            try await victim.kill9()
            try await eventually(within: .seconds(2) - (ContinuousClock.now - killed), "the other holds all") {
                try await stage.leases(of: other) == 30
            }
            #expect(try await stage.database.count("SELECT count(*) FROM enrichment_queue WHERE losses = 1") == 30)
            for id in ids { stage.world.releaseHold(id) }
            try await stage.drained()
            let reclaimed = other.records(of: "lease.reclaimed")
            #expect(reclaimed.count == 1)
            #expect(reclaimed.first?["n"] as? Int == 30)
        }
    }

    /// The server crashes right after claims, whose commits are asynchronous and may be lost: then the same row is
    /// claimed by two workers at different times, and only the second may write.
    @Test func crashesOfTheServerLoseNothingAndChargeNobody() async throws {
        try await PrivateCluster.run(options: ["fsync = off", "wal_writer_delay = 10s"]) { cluster in
            try await Stage.run { stage in try await Self.crash(cluster, stage) }
        }
    }

    private static func crash(_ cluster: PrivateCluster, _ stage: Stage) async throws {
        try await cluster.run(Audit.install)
        stage.world.setLatency(.milliseconds(200))
        let workers = try (0..<2).map { _ in try stage.start(["run"], ["DATABASE_URL": cluster.conninfo]) }
        for worker in workers { try await worker.waitFor("worker.ready") }
        for round in 0..<3 {
            let values = stage.ids(round * 1_000..<(round + 1) * 1_000).map { "('\($0)')" }
            try await cluster.run(
                "INSERT INTO enrichment_queue (engagement_id) VALUES " + values.joined(separator: ","))
            try await eventually("10 leases") {
                let leased = "SELECT count(*) FROM enrichment_queue WHERE leased_by IS NOT NULL"
                return Int(try await cluster.value(leased) ?? "") ?? 0 >= 10
            }
            try await cluster.crash()
        }
        try await eventually(within: .seconds(120), "the queue is empty") {
            try await cluster.value(Stage.jobs) == "0"
        }
        #expect(try await cluster.value("SELECT count(*) FROM dead_letters") == "0")
        #expect(try await cluster.value("SELECT count(*) FROM engagements") == "3000")
        #expect(try await cluster.value(Audit.faults) == "")
        #expect(try await cluster.value(Audit.stale) == "0")
        for worker in workers {
            #expect(worker.isRunning)
            #expect(!worker.records(of: "db.restored").isEmpty)
            #expect(worker.records(of: "lease.reclaimed").isEmpty)
        }
    }

    /// One connection that breaks, or all of them at once, is no death as long as the process comes back.
    @Test(arguments: [false, true])
    func lostConnectionsAreNoDeath(_ all: Bool) async throws {
        try await Stage.run { stage in
            let ids = stage.ids(0..<30)
            for id in ids { stage.world.hold(id) }
            let worker = try await stage.worker()
            try await stage.insert(ids)
            try await stage.waitForLeases(30, of: worker)
            let other = try await stage.worker()
            try await stage.database.run(Self.terminate(worker, onlyListener: !all))
            try await worker.waitFor("listen.restored")
            try await Self.waitForLooks(5, of: other, stage)
            #expect(worker.records(of: "listen.lost").count == 1)
            #expect(other.records(of: "lease.reclaimed").isEmpty)
            #expect(try await stage.leases(of: worker) == 30)
            for id in ids { stage.world.releaseHold(id) }
            try await stage.insert(stage.ids(30..<60))
            try await stage.drained()
            #expect(try await stage.database.count("SELECT count(*) FROM engagements") == 60)
        }
    }

    private static func terminate(_ worker: WorkerProcess, onlyListener: Bool) -> String {
        """
        SELECT pg_terminate_backend(a.pid) FROM pg_stat_activity AS a JOIN pg_locks AS l ON l.pid = a.pid
        WHERE l.locktype = 'advisory' AND l.mode = 'ShareLock' AND a.datname = current_database()
          AND (l.classid::bigint << 32) | l.objid::bigint = (SELECT boot_id FROM workers WHERE pid = \(worker.processID))
          AND (NOT \(onlyListener) OR a.application_name = 'engagement-worker listen')
        """
    }

    /// Waits until the worker looked for dead ones as many times from now.
    private static func waitForLooks(_ count: Int, of worker: WorkerProcess, _ stage: Stage) async throws {
        var seen: Set<String> = []
        try await eventually("\(count) looks for dead workers") {
            let look = try await stage.database.value(
                """
                SELECT a.query_start::text FROM pg_stat_activity AS a JOIN pg_locks AS l ON l.pid = a.pid
                WHERE l.locktype = 'advisory' AND l.mode = 'ShareLock' AND a.query LIKE '%pg_try_advisory_xact_lock%'
                  AND a.application_name = 'engagement-worker keep'
                  AND (l.classid::bigint << 32) | l.objid::bigint = (SELECT boot_id FROM workers WHERE pid = \(worker.processID))
                """)
            if let look { seen.insert(look) }
            return seen.count > count
        }
    }
}
