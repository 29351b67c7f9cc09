import Enrichment
import Glibc
import Postgres
import Simulator
import TestKit
import Testing

/// A server that others use as well: snapshots, many rows, a full queue of notifications, overlapping writes.
@Suite(.serialized) struct BusyDatabaseTests {
    private func with(
        _ settings: SimulatorSettings = Stage.small,
        _ test: (TestDatabase, Simulator) async throws -> Void
    ) async throws {
        try await withTestDatabase { database in
            let simulator = Simulator(seed: 11, settings: settings)
            try await simulator.start()
            let result: Result<Void, any Error>
            do { result = .success(try await test(database, simulator)) } catch { result = .failure(error) }
            await simulator.stop()
            try result.get()
        }
    }

    @Test func whoKeepsVacuumFromTheQueueIsNamed() async throws {
        try await with { database, simulator in
            let holder = try await database.connect()
            try await holder.run(
                script: "BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM control", name: "hold")
            let pid = try await holder.run(script: "SELECT pg_backend_pid() AS pid", name: "pid").first?.text("pid")
            let worker = try await TestWorker(database, simulator) {
                $0.watch = WatchLimits(deadRows: 200, snapshotAge: .seconds(1), interval: .milliseconds(100))
            }
            try await database.run(OutageLab.insertion(simulator, 0..<300))
            try await eventually("queue.bloat") { !worker.log.records(of: .queueBloat).isEmpty }
            let told = worker.log.records(of: .queueBloat)[0]
            #expect(told.level == .warning)
            #expect(told.fields[.pid] == .integer(Int(pid ?? "") ?? 0))
            if case .integer(let age)? = told.fields[.durationMilliseconds] {
                #expect(age >= 1_000)
            } else {
                Issue.record("no age")
            }
            try await database.wait(for: Stage.jobs, toBe: "0")
            #expect(worker.log.records(of: .queueBloat).count == 1)
            try await holder.run(script: "ROLLBACK", name: "release")
            try await eventually("it is over") { worker.log.records(of: .queueBloat).count == 2 }
            #expect(worker.log.records(of: .queueBloat)[1].level == .notice)
            try await worker.stop()
            await holder.close()
        }
    }

    /// A person looks at one row for long: its job waits, uncharged, and those of its batch do not.
    @Test func aRowThatAPersonHoldsDelaysItsJobAlone() async throws {
        try await with { database, simulator in
            let worker = try await TestWorker(database, simulator)
            try await database.run(OutageLab.insertion(simulator, 0..<40))
            try await database.wait(for: Stage.jobs, toBe: "0")
            let person = try await database.connect()
            let held = simulator.world.id(17)
            try await person.run(script: "BEGIN; SELECT FROM engagements WHERE id = '\(held)' FOR UPDATE", name: "hold")
            for number in 0..<40 { simulator.world.bump(simulator.world.id(number)) }
            try await database.run(OutageLab.insertion(simulator, 0..<40))
            try await database.wait(for: Stage.jobs, toBe: "1", within: .seconds(60))
            try await eventually("its job is given back") {
                worker.log.done(.released).contains { $0.fields[.engagementID] == .string(held) }
            }
            #expect(try await database.value("SELECT attempts FROM enrichment_queue") == "0")
            #expect(worker.log.records(of: .dbLost).isEmpty)
            try await person.run(script: "ROLLBACK", name: "release")
            try await database.run("UPDATE enrichment_queue SET available_at = now() WHERE leased_by IS NULL")
            try await database.wait(for: Stage.jobs, toBe: "0")
            #expect(worker.log.done(.retry).isEmpty && worker.log.done(.dead).isEmpty)
            let title = "SELECT title FROM engagements WHERE id = '\(held)'"
            #expect(try await database.value(title) == simulator.world.truth(held).title)
            try await worker.stop()
            await person.close()
        }
    }

    /// Two workers, eight writers, few contacts and companies, the same engagements in opposite orders.
    @Test func overlappingWritesDoNotDeadlock() async throws {
        var settings = Stage.small
        settings.children = 4...5
        settings.contactPool = 20
        settings.companyPool = 10
        try await with(settings) { database, simulator in
            var workers: [TestWorker] = []
            for _ in 0..<2 {
                workers.append(try await TestWorker(database, simulator) { $0.database.writers = 4 })
            }
            let ids = (0..<600).map { simulator.world.id($0) }
            let length = Duration.seconds(size("TEST_DEADLOCK_SECONDS", or: 3))
            let start = ContinuousClock.now
            var rounds = 0
            repeat {
                for order in [ids, ids.reversed(), ids] {
                    for id in ids { simulator.world.bump(id) }
                    for index in 0..<20 { simulator.world.bumpContact(index) }
                    try await database.run(
                        "INSERT INTO enrichment_queue (engagement_id) VALUES "
                            + order.map { "('\($0)')" }.joined(separator: ","))
                }
                try await database.wait(for: Stage.jobs, toBe: "0", within: .seconds(90))
                rounds += 1
            } while ContinuousClock.now - start < length
            let shared = "SELECT max(n) FROM (SELECT count(*) AS n FROM engagement_contacts GROUP BY contact_id) AS c"
            #expect(try await database.count(shared) > 20, "nothing overlaps")
            let deadlocks = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"
            for worker in workers {
                try #require(worker.log.done(.enriched).count > 50)
                try #require(worker.log.done(.retry).isEmpty)
                try #require(worker.log.done(.dead).isEmpty)
                try #require(worker.log.records(of: .dbLost).isEmpty)
                try await worker.stop()
            }
            printFigure(
                "deadlocks: 2 workers, 4 writers each, 20 contacts and 10 companies of 600 engagements,"
                    + " \(rounds * 1_800) jobs in \(Durations.seconds(.now - start)): "
                    + "\(try await database.count(deadlocks)) met, 0 told to a job")
        }
    }

    /// Plans that were made for empty tables go on when these are large.
    @Test func plansDoNotTurnToScansWhenTablesGrow() async throws {
        try await with { database, simulator in
            let worker = try await TestWorker(database, simulator) { $0.heartbeatInterval = .milliseconds(500) }
            try await database.run(OutageLab.insertion(simulator, 0..<50))
            try await database.wait(for: Stage.jobs, toBe: "0")
            try await database.run(
                """
                INSERT INTO enrichment_queue (engagement_id, available_at)
                SELECT 'ngmt_later' || n, now() + interval '1 day' FROM generate_series(1, 200000) AS n;
                """)
            try await database.run("ANALYZE")
            let scans = """
                SELECT coalesce(sum(seq_scan), 0) FROM pg_stat_user_tables
                WHERE relname IN ('enrichment_queue', 'engagements', 'engagement_contacts', 'engagement_transcripts')
                """
            // What was counted so far arrives within a second or so, our own at once.
            try await worker.log.beats(4)
            try await database.run("SELECT pg_stat_force_next_flush()")
            let before = try await database.count(scans)
            let deletes = "SELECT n_tup_del FROM pg_stat_user_tables WHERE relname = 'enrichment_queue'"
            let done = try await database.count(deletes)
            for batch in 0..<4 {
                try await database.run(OutageLab.insertion(simulator, (1_000 + batch * 200)..<(1_200 + batch * 200)))
            }
            try await eventually("800 more are counted as deleted") { try await database.count(deletes) >= done + 800 }
            try await worker.log.beats(4)
            #expect(try await database.count(scans) == before)
            try await worker.stop()
        }
    }

    /// The queue was empty when it was vacuumed last, so the planner takes it for empty however many rows came since: all
    /// indexes look alike, and still each row is found by its key.
    @Test func aQueueThatIsTakenForEmptyIsNotReadWhole() async throws {
        try await with { database, simulator in
            // No heartbeat meanwhile, which counts what waits.
            let worker = try await TestWorker(database, simulator) { $0.heartbeatInterval = .seconds(600) }
            try await database.run("ALTER TABLE enrichment_queue SET (autovacuum_enabled = off)")
            try await database.run(OutageLab.insertion(simulator, 0..<300))
            try await database.wait(for: Stage.jobs, toBe: "0")
            try await database.run("DELETE FROM enrichment_queue")
            try await database.run("VACUUM enrichment_queue")
            let size = """
                SELECT reltuples || ' ' || (relpages > 0) FROM pg_class WHERE oid = 'enrichment_queue'::regclass
                """
            #expect(try await database.value(size) == "0 true")
            try await database.run(OutageLab.insertion(simulator, 300..<301))
            try await database.wait(for: Stage.jobs, toBe: "0")
            try await database.run(
                """
                INSERT INTO enrichment_queue (engagement_id, available_at)
                SELECT 'ngmt_later' || n, now() + interval '1 day' FROM generate_series(1, 100000) AS n;
                """)
            let read = """
                SELECT sum(idx_tup_read) FROM pg_stat_user_indexes WHERE relname = 'enrichment_queue'
                """
            let deletes = "SELECT n_tup_del FROM pg_stat_user_tables WHERE relname = 'enrichment_queue'"
            try await database.run("SELECT pg_stat_force_next_flush()")
            let (before, deleted) = (try await database.count(read), try await database.count(deletes))
            try await database.run(OutageLab.insertion(simulator, 400..<440))
            try await eventually(within: .seconds(90), "40 more are counted as deleted") {
                try await database.count(deletes) >= deleted + 40
            }
            let after = try await database.count(read)
            #expect(after - before < 50_000, "\(after - before) entries read")
            try await worker.stop()
        }
    }

    /// Rows for days wait in the background lane, the API takes ten requests a second: a live row does not wait for them.
    @Test func aMillionWaitingRowsDelayNoLiveOne() async throws {
        try await Stage.run { stage in
            stage.world.setRateLimit(perSecond: 10, .bucket)
            try await stage.database.run(
                """
                INSERT INTO enrichment_queue (engagement_id, priority)
                SELECT 'ngmt_' || lpad(n::text, 26, '0'), -1 FROM generate_series(1, 1000000) AS n
                """)
            let worker = try await stage.worker()
            try await worker.waitFor("rate.limited")
            try await stage.world.waitForRequests(total: stage.world.totalRequests + 20)
            let before = try worker.megabytes(.now)
            for number in 0..<5 {
                let live = stage.world.id(number)
                let start = ContinuousClock.now
                try await stage.insert([live])
                try await stage.world.waitForRequest(live)
                #expect(ContinuousClock.now - start < .seconds(2))
            }
            try await stage.database.wait(
                for: "SELECT count(*) FROM engagements WHERE id NOT LIKE 'ngmt_00000%'", toBe: "5")
            #expect(try worker.megabytes(.now) < before + 20)
        }
    }

    /// A listener that does not read: inserts go on, and what waits for it is small.
    @Test func aListenerThatDoesNotReadHindersNoInsert() async throws {
        try await Stage.run { stage in
            let worker = try await stage.worker()
            let idle = "SELECT count(*) FROM workers WHERE idle_until > now()"
            try await stage.database.wait(for: idle, toBe: "1")
            try await worker.freeze()
            let inserts = size("TEST_JOBS", or: 3_000)
            try await stage.database.run(
                """
                DO $$ BEGIN
                    FOR n IN 1..\(inserts) LOOP
                        INSERT INTO enrichment_queue (engagement_id) VALUES ('\(stage.world.id(1))');
                        COMMIT;
                    END LOOP;
                END $$
                """)
            #expect(try await stage.database.count(Stage.jobs) == inserts)
            let usage = try await stage.database.value("SELECT pg_notification_queue_usage() < 0.01")
            #expect(usage == "t")
            worker.thaw()
            try await stage.drained(within: .seconds(60 + inserts / 500))
            printFigure("unread: \(inserts) inserts while nobody reads: none failed, less than 1 % of the notify queue")
        }
    }
}
