import Glibc
import Simulator
import TestKit
import Testing

/// Workers that are killed without a word, and what becomes of their jobs.
@Suite(.serialized) struct KillTests {
    @Test func killsLoseNothingAndChargeNobody() async throws {
        try await Stage.run { stage in
            let (jobs, kills) = (size("TEST_JOBS", or: 20_000), size("TEST_KILLS", or: 10))
            try await stage.database.run(Audit.install)
            // Many kills take a second each: the work has to last that long.
            let isLong = kills > 10
            let flags = isLong ? ["--concurrency", "4"] : []
            stage.world.setLatency(.milliseconds(isLong ? 50 : 20))
            try await stage.insert(stage.ids(0..<jobs))
            var workers: [WorkerProcess] = []
            for _ in 0..<(isLong ? 3 : 2) { workers.append(try await stage.worker(flags)) }
            for kill in 1...kills {
                // The kills are spread over most of the work, so that each meets a worker in the middle of it.
                let left = jobs - jobs * 4 / 5 * kill / kills
                try await eventually(within: .seconds(300), "\(left) jobs left") {
                    try await stage.database.count(Stage.jobs) <= left
                }
                let victim = try await Self.victim(of: workers, kill, stage)
                try await stage.waitForLeases(10, of: workers[victim])
                try await workers[victim].kill9()
                workers[victim] = try stage.start(["run"] + flags)
            }
            try await Self.requireEachDoneOnce(stage, jobs: jobs)
            let lost = try await stage.database.count("SELECT count(*) FROM audit_claims") - jobs
            #expect(lost >= kills, "the kills hit nobody's jobs")
            printFigure(
                "kills: \(jobs) jobs, \(workers.count) workers, \(kills) kill -9 with 10 leases or more,"
                    + " \(lost) claims ended so: " + Self.allWell)
        }
    }

    /// Each in turn, but two times of three the one that holds least of what died once. What died twice runs alone and comes
    /// last: were it most of what is left, no worker would hold ten.
    private static func victim(of workers: [WorkerProcess], _ kill: Int, _ stage: Stage) async throws -> Int {
        guard kill % 3 != 0 else { return kill / 3 % workers.count }
        var held: [Int] = []
        for worker in workers { held.append(try await stage.leases(of: worker, "losses = 1")) }
        return held.indices.min { held[$0] < held[$1] } ?? 0
    }

    /// One backend of some worker a second.
    @Test func terminatedBackendsLoseNothingAndChargeNobody() async throws {
        try await Stage.run { stage in
            try await stage.database.run(Audit.install)
            let jobs = size("TEST_JOBS", or: 3_000)
            // Some 250 jobs a second, so that there is time for some ends.
            stage.world.setLatency(.milliseconds(500))
            try await stage.insert(stage.ids(0..<jobs))
            let workers = [try await stage.worker(), try await stage.worker()]
            // The way to listen leads over two connections: the end of one would be told of both.
            try await stage.database.wait(
                for: "SELECT count(*) FROM pg_stat_activity WHERE query = format('LISTEN \"%s\"', bell_channel())",
                toBe: "2")
            var random = SeededRandom(seed: TruthSeed.draw("backends"))
            var (ended, next) = (0, ContinuousClock.now)
            try await eventually(within: .seconds(600 + jobs / 100), "the queue is empty") {
                if ContinuousClock.now >= next {
                    next += .seconds(1)
                    let choice = Int.random(in: 0..<1_000, using: &random)
                    ended += try await stage.database.run(Backends.terminateOne(choice)).count
                }
                return try await stage.database.count(Stage.jobs) == 0
            }
            try await Self.requireEachDoneOnce(stage, jobs: jobs)
            #expect(ended >= 10, "too few were ended")
            var told = 0
            for worker in workers {
                #expect(worker.isRunning)
                #expect(worker.records(of: "lease.reclaimed").isEmpty)
                let lost = worker.records(of: "db.lost").count
                try await worker.waitFor("db.restored", count: lost)
                told += lost + worker.records(of: "listen.lost").count
            }
            #expect((1...ended).contains(told), "\(told) outages told")
            printFigure("backends: \(jobs) jobs, 2 workers, \(ended) backends ended, one a second: " + Self.allWell)
        }
    }

    /// What ``requireEachDoneOnce(_:jobs:)`` makes sure of.
    private static let allWell = "0 lost, 0 written by others than the holder, 0 charged, 0 poison"

    private static func requireEachDoneOnce(_ stage: Stage, jobs: Int) async throws {
        // What died twice runs alone, which takes its time.
        try await stage.drained(within: .seconds(1_200))
        try #require(try await stage.database.value(Audit.faults) == "")
        try #require(try await stage.database.count(Audit.stale) == 0)
        try #require(try await stage.database.count("SELECT count(*) FROM engagements") == jobs)
        try #require(try await stage.database.count("SELECT count(*) FROM audit_gone") == jobs)
    }

    @Test func jobsOfADeadWorkerRunAgainWithinTwoSeconds() async throws {
        var taken = Durations()
        for _ in 0..<size("TEST_ROUNDS", or: 1) {
            try await Stage.run { stage in taken.add(try await Self.takeOver(stage)) }
        }
        printFigure("reclaim: 30 jobs of a killed worker run at another: \(taken)")
    }

    private static func takeOver(_ stage: Stage) async throws -> Duration {
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
        let taken = ContinuousClock.now - killed
        #expect(try await stage.database.count("SELECT count(*) FROM enrichment_queue WHERE losses = 1") == 30)
        for id in ids { stage.world.releaseHold(id) }
        try await stage.drained()
        let reclaimed = other.records(of: "lease.reclaimed")
        #expect(reclaimed.count == 1)
        #expect(reclaimed.first?["n"] as? Int == 30)
        return taken
    }

    /// Its machine is gone, and nobody told the server: the sockets stay open, and only the leases end.
    @Test func jobsOfAVanishedWorkerRunAgainWhenTheirLeasesEnd() async throws {
        let lease = size("TEST_LEASE_SECONDS", or: 5)
        try await Stage.run { stage in
            let proxy = try FaultProxy(to: TestCluster.port)
            defer { proxy.stop() }
            let ids = stage.ids(0..<30)
            for id in ids { stage.world.hold(id) }
            let victim = try await stage.worker(
                ["--lease", "\(lease)s"], ["DATABASE_URL": stage.database.conninfo(through: proxy)])
            try await stage.insert(ids)
            try await stage.waitForLeases(30, of: victim)
            let other = try await stage.worker(["--lease", "\(lease)s"])
            proxy.set(.blackhole)
            try await victim.kill9()
            let start = ContinuousClock.now
            let ends = "SELECT max(available_at) < now() - interval '5 s' FROM enrichment_queue"
            try await eventually(within: .seconds(lease + 5), "the other holds all") {
                #expect(try await stage.database.value(ends) != "t", "a lease is over by more than 5 s")
                return try await stage.leases(of: other) == 30
            }
            let taken = ContinuousClock.now - start
            #expect(taken > .seconds(1), "they came too early: the server knew")
            let gone = "SELECT count(*) FROM workers WHERE pg_try_advisory_xact_lock(boot_id)"
            #expect(try await stage.database.count(gone) == 0, "the server knew")
            #expect(proxy.injected(.blackhole) > 0)
            for id in ids { stage.world.releaseHold(id) }
            try await stage.drained()
            printFigure(
                "half-open: 30 jobs of a vanished worker, lease \(lease) s, run at another after "
                    + Durations.seconds(taken))
        }
    }

    /// It lives, but cannot reach the database any more until another worker has its jobs. What it asked for by then is of no
    /// use, and it asks for nothing more.
    @Test func aWorkerCutOffBeyondItsLeasesSendsAndWritesNothing() async throws {
        try await Stage.run { stage in
            try await stage.database.run(Audit.install)
            let proxy = try FaultProxy(to: TestCluster.port)
            defer { proxy.stop() }
            let cutOff = try await stage.worker(
                ["--lease", "5s", "--concurrency", "10"], ["DATABASE_URL": stage.database.conninfo(through: proxy)])
            try await stage.insert([stage.world.id(100)])
            try await stage.drained()
            let ids = stage.ids(0..<15)
            for id in ids { stage.world.hold(id) }
            try await stage.insert(ids)
            try await stage.waitForLeases(15, of: cutOff)
            try await stage.world.waitForRequests(total: 11)
            proxy.set(.blackhole)
            let other = try await stage.worker(["--lease", "5s"])
            try await eventually(within: .seconds(30), "the other has asked for all") {
                stage.world.totalRequests == 1 + 10 + 15
            }
            // Its senders are free now, and have five jobs that were its own.
            for id in ids { stage.world.releaseHold(id) }
            try await stage.database.wait(for: "SELECT count(*) FROM engagements", toBe: "16")
            try await cutOff.waitFor("db.lost")
            proxy.set(.none)
            try await cutOff.waitFor("job.done", count: 16, within: .seconds(60))
            let outcomes = cutOff.records(of: "job.done").dropFirst().compactMap { $0["outcome"] as? String }
            #expect(outcomes == [String](repeating: "lease_lost", count: 15))
            #expect(stage.world.totalRequests == 1 + 10 + 15, "it sent nothing after its leases")
            #expect(try await stage.database.value(Audit.faults) == "")
            #expect(try await stage.database.count("SELECT count(*) FROM audit_writes") == 16)
            #expect(proxy.injected(.blackhole) > 0)
            other.signal(SIGTERM)
            #expect(try await other.exitStatus() == 0)
            try await stage.insert(stage.ids(200..<230))
            try await stage.drained()
            #expect(cutOff.isRunning)
        }
    }

    /// It stands still until others have its jobs; when it goes on it finds that out and lives.
    @Test func aFrozenWorkerWritesNothingWhenItThaws() async throws {
        let (lease, beyond) = (size("TEST_LEASE_SECONDS", or: 5), size("TEST_FROZEN_SECONDS", or: 3))
        try await Stage.run { stage in
            try await stage.database.run(Audit.install)
            let ids = stage.ids(0..<30)
            let frozen = try await stage.worker(["--lease", "\(lease)s"])
            // The first request of a credential goes out alone.
            try await stage.insert([stage.world.id(100)])
            try await stage.drained()
            for id in ids { stage.world.hold(id) }
            try await stage.insert(ids)
            try await stage.waitForLeases(30, of: frozen)
            try await stage.world.waitForRequests(total: 31)
            let ends = "SELECT max(available_at) FROM enrichment_queue WHERE leased_by IS NOT NULL"
            let before = try await stage.database.value(ends) ?? ""
            try await frozen.freeze()
            let other = try await stage.worker(["--lease", "\(lease)s"])
            // What it asked for is answered while it stands still, so it finds answers and leases that are over.
            for id in ids { stage.world.releaseHold(id) }
            try await stage.database.wait(
                for: "SELECT count(*) FROM engagements", toBe: "31", within: .seconds(lease + 30))
            let over = "SELECT clock_timestamp() > timestamptz '\(before)' + interval '\(beyond) s'"
            try await stage.database.wait(for: over, toBe: "t", within: .seconds(lease + beyond + 30))
            frozen.thaw()
            try await frozen.waitFor("job.done", count: 31)
            let outcomes = frozen.records(of: "job.done").dropFirst().compactMap { $0["outcome"] as? String }
            try #require(outcomes == [String](repeating: "lease_lost", count: 30))
            try #require(try await stage.database.value(Audit.faults) == "")
            try #require(try await stage.database.count("SELECT count(*) FROM audit_writes") == 31)
            // It lives on and works.
            other.signal(SIGTERM)
            #expect(try await other.exitStatus() == 0)
            try await stage.insert(stage.ids(200..<230))
            try await stage.drained()
            try #require(frozen.isRunning)
            printFigure("frozen: \(beyond) s beyond a lease of \(lease) s: 30 jobs lost to another, 0 writes, lives on")
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
            // A job whose request was about to leave may have been given back, uncharged.
            let uncharged = "SELECT count(*) FROM enrichment_queue WHERE attempts = 0 AND coalesce(losses, 0) = 0"
            #expect(try await stage.database.count(uncharged) == 30)
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
