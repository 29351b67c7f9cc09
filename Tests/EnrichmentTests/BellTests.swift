import Enrichment
import Postgres
import Simulator
import TestKit
import Testing

/// The bell: what wakes a sleeping worker, and what it must never do to an inserter.
@Suite(.serialized) struct BellTests {
    @Test func itRingsOnlyWhileSomeWorkerIsIdle() async throws {
        try await withTestDatabase { database in
            let listener = try await database.connect()
            try await listener.listen(channel: try #require(try await database.value("SELECT bell_channel()")))
            for (idleUntil, rings) in [
                ("NULL", 0), ("clock_timestamp() - interval '1 ms'", 0), ("clock_timestamp() + interval '1 min'", 1),
            ] {
                try await database.run(
                    """
                    INSERT INTO workers (boot_id, host, pid, version) VALUES (1, 'h', 1, 'v') ON CONFLICT DO NOTHING;
                    UPDATE workers SET idle_until = \(idleUntil)
                    """)
                try await database.run("INSERT INTO enrichment_queue (engagement_id) VALUES ('a'), ('b')")
                #expect(try await heard(listener) == rings, "idle until \(idleUntil)")
            }
            // Once a statement, not once a row, and not for what leaves no row.
            try await database.run(
                "INSERT INTO enrichment_queue (engagement_id) SELECT 'x' FROM generate_series(1, 500)")
            #expect(try await heard(listener) == 1)
            try await database.run("UPDATE enrichment_queue SET priority = 1; DELETE FROM enrichment_queue")
            #expect(try await heard(listener) == 0)
            try await database.run("BEGIN; INSERT INTO enrichment_queue (engagement_id) VALUES ('a'); ROLLBACK")
            #expect(try await heard(listener) == 0)
            await listener.close()
        }
    }

    /// A statement of the listener brings in what was committed before it.
    private func heard(_ listener: Connection) async throws -> Int {
        try await listener.run(script: "SELECT 1", name: "bring")
        return try await listener.waitForNotifications(timeout: .zero).count
    }

    @Test func anInsertWakesASleepingWorker() async throws {
        try await withIdleWorker { database, simulator, worker in
            for number in 0..<3 {
                try await database.run(
                    "INSERT INTO enrichment_queue (engagement_id) VALUES ('\(simulator.world.id(number))')")
                try await database.wait(
                    for: "SELECT count(*) FROM engagements", toBe: "\(number + 1)", within: .seconds(5))
                try await waitUntilAsleep(database)
            }
        }
    }

    @Test func aLostListenerComesBackAndMissesNothing() async throws {
        try await withIdleWorker { database, simulator, worker in
            let neighbour = try await TestWorker(database, simulator) { $0.pollInterval = .seconds(60) }
            let held = simulator.world.id(99)
            simulator.world.hold(held)
            try await database.run("INSERT INTO enrichment_queue (engagement_id) VALUES ('\(held)')")
            try await simulator.world.waitForRequest(held)
            try await waitUntilAsleep(database, workers: 2)

            #expect(
                try await database.count(
                    """
                    SELECT count(pg_terminate_backend(pid, 5000)) FROM pg_stat_activity
                    WHERE datname = current_database() AND application_name = 'engagement-worker listen'
                    """) == 2)
            // In the gap, or just after it: nobody need hear the bell.
            try await database.run("INSERT INTO enrichment_queue (engagement_id) VALUES ('\(simulator.world.id(1))')")
            try await database.wait(for: "SELECT count(*) FROM engagements", toBe: "1", within: .seconds(2))
            for one in [worker, neighbour] {
                try await eventually("the bell is back") {
                    one.log.records(of: .listenLost).count == 1 && one.log.records(of: .listenRestored).count == 1
                }
            }
            simulator.world.releaseHold(held)
            try await database.wait(for: "SELECT count(*) FROM engagements", toBe: "2")
            // And it rings as before.
            try await waitUntilAsleep(database, workers: 2)
            try await database.run("INSERT INTO enrichment_queue (engagement_id) VALUES ('\(simulator.world.id(2))')")
            try await database.wait(for: "SELECT count(*) FROM engagements", toBe: "3", within: .seconds(5))
            for one in [worker, neighbour] {
                #expect(one.log.records(of: .leaseReclaimed).isEmpty, "a lost listener is not a death")
                #expect(one.log.records(of: .dbLost).isEmpty)
            }
            try await neighbour.stop()
            try await eventually("their lines") {
                worker.log.done(.enriched).count + neighbour.log.done(.enriched).count == 3
            }
        }
    }

    /// Anybody who may connect may NOTIFY. The database counts the claims.
    @Test func forgedBellsCauseFewClaims() async throws {
        try await withTestDatabase { database in
            try await database.run("ALTER DATABASE \(database.name) SET track_functions = 'pl'")
            let simulator = Simulator(seed: 5)
            try await simulator.start()
            let worker = try await TestWorker(database, simulator) { $0.pollInterval = .seconds(60) }
            try await waitUntilAsleep(database)
            try await database.wait(for: "SELECT \(claims) > 0", toBe: "t")
            let before = try await database.count("SELECT \(claims)")
            let start = ContinuousClock.now
            var forged = 0
            while forged < 1_000 || ContinuousClock.now - start < .seconds(3) {
                try await database.run("SELECT pg_notify(bell_channel(), '')")
                forged += 1
            }
            let seconds = (ContinuousClock.now - start) / .seconds(1)
            // Still awake to a true bell; its claims are part of the count.
            try await database.run("INSERT INTO enrichment_queue (engagement_id) VALUES ('\(simulator.world.id(1))')")
            try await database.wait(for: "SELECT count(*) FROM engagements", toBe: "1", within: .seconds(5))
            let awake = (ContinuousClock.now - start) / .seconds(1) - seconds + 0.5
            // A session that ends reports all that it counted.
            try await worker.stop()
            await simulator.stop()
            try await database.wait(for: sessions, toBe: "0")
            let during = try await database.count("SELECT \(claims)") - before
            #expect(during >= 10, "\(during) claims: the bells were heard")
            // With a job, and for half a second after it, the worker looks every 10 ms.
            let most = 10 * seconds + 100 * awake + 15
            #expect(Double(during) <= most, "\(during) claims in \(seconds) s by \(forged) bells, \(most) at most")
        }
    }

    private let claims = "coalesce((SELECT sum(calls) FROM pg_stat_user_functions WHERE funcname = 'claim'), 0)"
    private let sessions = """
        SELECT count(*) FROM pg_stat_activity
        WHERE datname = current_database() AND application_name LIKE 'engagement-worker%'
        """

    @Test func itNeverFailsTheInsertOfARoleThatMayOnlyInsert() async throws {
        try await withIdleWorker { database, simulator, worker in
            try await database.withRole { role in
                try await database.run(
                    """
                    GRANT USAGE ON SCHEMA askelephant TO \(role);
                    GRANT INSERT (engagement_id) ON enrichment_queue TO \(role)
                    """)
                let inserter = try await database.connect(as: role)
                // What stands in front of our names for this role must not be taken for ours.
                try await inserter.run(
                    script: """
                        CREATE TEMP TABLE workers (idle_until timestamptz);
                        CREATE FUNCTION pg_temp.bell_channel() RETURNS text LANGUAGE sql AS $$ SELECT 1 / 0 || '' $$;
                        SET search_path = pg_temp, askelephant
                        """, name: "disguise")
                try await inserter.run(
                    script:
                        "INSERT INTO askelephant.enrichment_queue (engagement_id) VALUES ('\(simulator.world.id(1))')",
                    name: "insert")
                try await database.wait(for: "SELECT count(*) FROM engagements", toBe: "1", within: .seconds(5))
                await inserter.close()
            }
        }
    }

    // MARK: -

    private func withIdleWorker(_ test: (TestDatabase, Simulator, TestWorker) async throws -> Void) async throws {
        try await withTestDatabase { database in
            let simulator = Simulator(seed: 4)
            try await simulator.start()
            let worker = try await TestWorker(database, simulator) { $0.pollInterval = .seconds(60) }
            try await waitUntilAsleep(database)
            try await test(database, simulator, worker)
            try await worker.stop()
            await simulator.stop()
        }
    }

    /// Asleep for 3 s: after all early looks, so that only a bell can wake it. The flag is good for 45 s when it is set.
    private func waitUntilAsleep(_ database: TestDatabase, workers: Int = 1) async throws {
        try await database.wait(
            for: "SELECT count(*) FROM workers WHERE idle_until < clock_timestamp() + interval '42 s'",
            toBe: "\(workers)")
    }
}
