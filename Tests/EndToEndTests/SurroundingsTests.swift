import Enrichment
import Foundation
import SQLText
import Simulator
import TestKit
import Testing

/// What a host does to a worker: its clock, its names, its neighbours.
@Suite(.serialized) struct SurroundingsTests {
    /// The clock of the worker's host jumps by so many seconds and back, with a job in hand and a neighbour whose clock is
    /// right: nobody takes the job, nothing comes too early or too late, and the log says what is wrong.
    @Test(arguments: [86_400, -86_400, 600, -600])
    func aHostsClockMovesNothing(_ jump: Int) async throws {
        try await Stage.run { stage in
            let clock = try await MovedClock()
            let worker = try await stage.worker(["--lease", "5s"], clock.environment)
            let held = stage.world.id(0)
            stage.world.hold(held)
            try await stage.insert([held])
            try await stage.waitForLeases(1, of: worker)
            let neighbour = try await stage.worker(["--lease", "5s"])
            try clock.move(by: jump)
            try await worker.waitFor("clock.skew")
            let skew = worker.records(of: "clock.skew").last?["skew_ms"] as? Int ?? 0
            #expect(abs(skew + jump * 1_000) < 10_000)
            // One of them fails, and comes again when it would with a right clock.
            stage.world.setFault(.internalError, of: stage.world.id(10), times: 1)
            try await stage.insert(stage.ids(10..<30))
            try await stage.database.wait(for: Stage.jobs, toBe: "1")
            #expect(stage.world.requests(for: stage.world.id(10)).count == 2)
            try clock.move(by: 0)
            try await worker.waitFor("clock.skew", count: 2)
            let claims = "SELECT claims FROM enrichment_queue WHERE engagement_id = '\(held)'"
            #expect(try await stage.database.count(claims) == 1)
            #expect(try await stage.leases(of: worker) == 1)
            #expect(neighbour.records(of: "clock.skew").isEmpty)
            #expect(neighbour.records(of: "lease.reclaimed").isEmpty)
            stage.world.releaseHold(held)
            try await stage.drained()
        }
    }

    /// A limit of open files that would be met is raised if it may be, else refused at start: met, it ends the process.
    @Test func openFilesSuffice() async throws {
        try await Stage.run { stage in
            let low = try stage.start(["run"], through: ["prlimit", "--nofile=100:100"])
            #expect(try await low.exitStatus() == 78)
            #expect(low.errors.contains("needs 142 open files, and the limit is 100"))

            let ids = stage.ids(0..<64)
            for id in ids { stage.world.hold(id) }
            let worker = try stage.start(["run"], through: ["prlimit", "--nofile=40:200"])
            try await worker.waitFor("worker.ready")
            // The first request of a credential goes out alone.
            try await stage.insert([stage.world.id(100)])
            try await stage.drained()
            try await stage.insert(ids)
            try await stage.world.waitForRequests(total: 65)
            let open = try FileManager.default.contentsOfDirectory(atPath: "/proc/\(worker.processID)/fd").count
            #expect((65...142).contains(open))
            for id in ids { stage.world.releaseHold(id) }
            try await stage.drained()
        }
    }

    /// One of them migrates, the others wait for it, all work.
    @Test func tenWorkersOnAnEmptyDatabase() async throws {
        try await Stage.run { stage in
            let workers = try (0..<10).map { _ in
                try stage.start(["run", "--once", "--auto-migrate", "--schema", "fresh"])
            }
            for worker in workers {
                #expect(try await worker.exitStatus() == 0, "\(worker.tail)")
            }
            let applied = workers.flatMap { $0.records(of: "schema.migrated") }
            #expect(applied.compactMap { $0["n"] as? Int }.reduce(0, +) == Migration.latest)
            #expect(try await stage.database.count("SELECT count(*) FROM fresh.schema_migrations") == Migration.latest)
        }
    }

    /// A schema that is behind is refused as well as one that is two ahead, and no row is touched.
    @Test func aSchemaOneVersionBehindIsRefused() async throws {
        try await Stage.run { stage in
            try await stage.insert([stage.world.id(1)])
            try await stage.database.run("DELETE FROM schema_migrations WHERE version = \(Migration.latest)")
            let worker = try stage.start(["run"])
            #expect(try await worker.exitStatus() == 65)
            #expect(worker.records(of: "schema.mismatch").count == 1)
            let untouched = "SELECT count(*) FROM enrichment_queue WHERE claims = 0 AND leased_by IS NULL"
            #expect(try await stage.database.count(untouched) == 1)
            #expect(try await stage.database.count("SELECT count(*) FROM workers") == 0)
        }
    }

    /// Somebody migrates while it works: one version further is fine, two end it in the middle of its work.
    @Test func aSchemaThatRunsAheadEndsTheWorker() async throws {
        try await Stage.run { stage in
            func migrate(to version: Int) async throws {
                try await stage.database.run(
                    """
                    INSERT INTO schema_migrations (version, name, checksum, binary_version)
                    VALUES (\(version), 'future', 'none', 'future')
                    """)
            }
            let worker = try await stage.worker()
            try await migrate(to: Migration.latest + 1)
            try await stage.insert(stage.ids(0..<20))
            try await stage.drained()
            let ids = stage.ids(20..<50)
            for id in ids { stage.world.hold(id) }
            try await stage.insert(ids)
            try await stage.waitForLeases(30, of: worker)
            #expect(worker.isRunning)
            try await migrate(to: Migration.latest + 2)
            #expect(try await worker.exitStatus(within: .seconds(10)) == 65)
            #expect(worker.records(of: "schema.mismatch").count == 1)
            #expect(worker.records(of: "worker.stop").first?["exit_code"] as? Int == 65)
            // Its jobs are there for whoever fits.
            let kept = "SELECT count(*) FROM enrichment_queue WHERE claims = 1 AND attempts = 0"
            #expect(try await stage.database.count(kept) == 30)
            #expect(try await stage.database.count("SELECT count(*) FROM engagements") == 20)
        }
    }

    /// A database that is away at the start is waited for as long as the budget says, told once.
    @Test func aDatabaseThatComesWithinTheBudgetIsFound() async throws {
        let port = try closedLoopbackPort()
        try await Stage.run { stage in
            let url = "host=127.0.0.1 port=\(port) user=postgres dbname=postgres"
            let late = try stage.start(["run", "--start-timeout", "3s"], ["DATABASE_URL": url])
            let start = ContinuousClock.now
            #expect(try await late.exitStatus() == 69)
            #expect(ContinuousClock.now - start > .seconds(2))
            #expect(late.records(of: "db.lost").count == 1)
            #expect(late.records(of: "worker.ready").isEmpty)
        }
    }

    /// Same host, same pid, as in two containers: it is the boot id that tells workers apart.
    @Test func aNameIsNoIdentity() async throws {
        try await withTestDatabase { database in
            let simulator = Simulator(seed: 3, settings: Stage.small)
            try await simulator.start()
            let ids = (0..<20).map { simulator.world.id($0) }
            for id in ids { simulator.world.hold(id) }
            let first = try await TestWorker(database, simulator) { ($0.host, $0.processID) = ("pod", 1) }
            try await database.run(
                "INSERT INTO enrichment_queue (engagement_id) VALUES "
                    + ids.map { "('\($0)')" }.joined(separator: ","))
            try await database.wait(
                for: "SELECT count(*) FROM enrichment_queue WHERE leased_by = \(first.worker.bootID)", toBe: "20")
            let second = try await TestWorker(database, simulator) { configuration in
                (configuration.host, configuration.processID) = ("pod", 1)
                configuration.heartbeatInterval = .milliseconds(100)
            }
            #expect(try await database.count("SELECT count(*) FROM workers WHERE host = 'pod' AND pid = 1") == 2)
            try await second.log.beats(20)
            #expect(second.log.records(of: .leaseReclaimed).isEmpty)
            let held = "SELECT count(*) FROM enrichment_queue WHERE leased_by = \(first.worker.bootID)"
            #expect(try await database.count(held) == 20)
            for id in ids { simulator.world.releaseHold(id) }
            try await database.wait(for: Stage.jobs, toBe: "0")
            try await first.stop()
            try await second.stop()
            await simulator.stop()
        }
    }
}
