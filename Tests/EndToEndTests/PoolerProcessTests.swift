import Glibc
import Postgres
import SQLText
import Simulator
import TestKit
import Testing

/// The binary behind a real PgBouncer in transaction mode.
@Suite(.serialized) struct PoolerProcessTests {
    /// No lock tells that it is dead, nor that the other one lives.
    @Test func aKilledWorkersJobsComeBackWithItsLeasesAndNoLivingOneIsTakenForDead() async throws {
        try await Stage.run { stage in
            try await PgBouncer.run(.transaction) { bouncer in
                let pooled = ["DATABASE_URL": String?.some(bouncer.conninfo(stage.database.name))]
                let ids = stage.ids(0..<20)
                for id in ids { stage.world.hold(id) }
                let victim = try await stage.worker(["--lease", "5s"], pooled)
                try await stage.insert(ids)
                try await stage.waitForLeases(20, of: victim)
                // Of all workers the one that would see a dead worker's lock.
                let direct = try await stage.worker(["--lease", "5s"])
                let living = try await stage.worker(["--lease", "5s"], pooled)
                let more = stage.ids(20..<22)
                for id in more { stage.world.hold(id) }
                try await stage.insert(more)
                try await eventually("somebody holds them") {
                    try await stage.database.count(
                        "SELECT count(*) FROM enrichment_queue WHERE leased_by IS NOT NULL") == 22
                }
                // Much longer than a lease and than the two looks for a lock.
                try await stage.database.run("SELECT pg_sleep(6)")
                let held = "engagement_id IN ('\(ids.joined(separator: "','"))')"
                #expect(try await stage.leases(of: victim, held) == 20)
                try await victim.kill9()
                for id in ids + more { stage.world.releaseHold(id) }
                try await stage.drained(within: .seconds(10))
                for worker in [direct, living] {
                    #expect(worker.records(of: "lease.reclaimed").isEmpty)
                    #expect(worker.records(of: "db.lost").isEmpty)
                }
                #expect(try await stage.database.count("SELECT count(*) FROM engagements") == 22)
                // A binary that knows nothing of this asks for it by name.
                #expect(
                    try await stage.database.count(
                        "SELECT count(*) FROM reclaim(ARRAY(SELECT boot_id FROM workers WHERE NOT _holds_lock))") == 0)
                // In the end its row goes, too.
                try await stage.database.run(
                    "UPDATE workers SET last_seen_at = now() - interval '12 min' WHERE pid = \(victim.processID)")
                try await stage.database.wait(for: "SELECT count(*) FROM workers", toBe: "2", within: .seconds(10))
                for worker in [direct, living] {
                    worker.signal(SIGTERM)
                    #expect(try await worker.exitStatus() == 0)
                }
            }
        }
    }

    @Test func theCommandsWorkBehindIt() async throws {
        try await Stage.run { stage in
            try await PgBouncer.run(.transaction) { bouncer in
                let pooled = ["DATABASE_URL": String?.some(bouncer.conninfo(stage.database.name))]
                let ids = stage.ids(0..<3)
                let commands: [[String]] = [
                    ["enqueue"] + ids, ["run", "--once"], ["enrich", stage.world.id(5)],
                    ["enrich", "--dry-run", stage.world.id(6)], ["status"], ["dead", "list"], ["migrate"],
                    ["migrate", "--status"],
                ]
                for arguments in commands {
                    let ended = try await stage.command(arguments, pooled)
                    #expect(ended.status == 0, "\(arguments): \(ended.errors)")
                }
                #expect(try await stage.database.count("SELECT count(*) FROM engagements") == 4)
                #expect(try await stage.database.count("SELECT count(*) FROM workers") == 0)

                let fresh = try await stage.command(["migrate", "--schema", "fresh"], pooled)
                #expect(fresh.status == 78)
                #expect(fresh.errors.contains("ENGAGEMENT_WORKER_MIGRATE_DATABASE_URL"), "\(fresh.errors)")
                #expect(try await stage.database.value("SELECT to_regnamespace('fresh') IS NULL") == "t")
                let past = try await stage.command(
                    ["migrate", "--schema", "fresh"],
                    pooled.merging(["ENGAGEMENT_WORKER_MIGRATE_DATABASE_URL": stage.database.conninfo]) { $1 })
                #expect(past.status == 0)
            }
        }
    }
}
