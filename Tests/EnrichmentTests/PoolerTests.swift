import Enrichment
import Postgres
import Simulator
import TestKit
import Testing

/// Workers behind a real PgBouncer, and what they say of the bell.
@Suite(.serialized) struct PoolerTests {
    private static let poolSize = 4
    private static let idle = "SELECT count(*) FROM workers WHERE idle_until > clock_timestamp()"
    private static let lockless = "SELECT count(*) FROM workers WHERE NOT _holds_lock"
    private static let backends = """
        SELECT count(*) FROM pg_stat_activity
        WHERE datname = current_database() AND application_name LIKE 'engagement-worker%'
        """

    @Test func transactionModeWorksByPollingAndSaysSoOnce() async throws {
        try await stage(.transaction) { database, simulator, bouncer in
            let workers = [
                try await worker(database, simulator, bouncer), try await worker(database, simulator, bouncer),
            ]
            for index in 0..<4 {
                try await insert(database, simulator, index * 500..<(index + 1) * 500)
            }
            try await database.wait(for: "SELECT count(*) FROM engagements", toBe: "2000", within: .seconds(90))
            let backends = try await database.count(Self.backends)
            #expect((1...Self.poolSize).contains(backends), "\(backends) sessions for two workers")
            #expect(try await database.count(Self.lockless) == 2)
            for worker in workers { try await worker.log.beats(2) }
            // Late enough for a worker that hears the bell to say that it sleeps.
            try await eventually("they sleep") {
                workers.allSatisfy { $0.log.records(of: .workerHeartbeat).count > 15 }
            }
            #expect(try await database.count("SELECT count(idle_until) FROM workers") == 0, "nobody hears the bell")
            for worker in workers {
                let lost = worker.log.records(of: .listenLost)
                #expect(lost.count == 1)
                #expect(lost.first?.fields[.cause] == "pooler")
                #expect("\(lost)".contains("ENGAGEMENT_WORKER_LISTEN_DATABASE_URL"))
                #expect(worker.log.records(of: .workerReady).first?.fields[.pooled] == true)
                #expect(worker.log.records(of: .workerHeartbeat).last?.fields[.listen] == "polling")
                expectPeace(worker)
            }
            let done = workers.flatMap { $0.log.done(.enriched) }
            #expect(done.count == 2_000)
            #expect(done.allSatisfy { $0.fields[.attempt] == done[0].fields[.attempt] }, "charged")
            try await expectNothingLeft(database, bouncer)
            for worker in workers { try await worker.stop() }
            #expect(try await database.count("SELECT count(*) FROM workers") == 0)
        }
    }

    @Test func aListenerThatGoesPastThePoolerHearsTheBell() async throws {
        try await stage(.transaction) { database, simulator, bouncer in
            let worker = try await worker(database, simulator, bouncer) {
                $0.database.listenConninfo = database.conninfo
                $0.pollInterval = .seconds(60)
            }
            for index in 0..<3 {
                try await database.wait(
                    for: "SELECT count(*) FROM workers WHERE idle_until < clock_timestamp() + interval '42 s'",
                    toBe: "1")
                try await insert(database, simulator, index..<index + 1)
                try await database.wait(
                    for: "SELECT count(*) FROM engagements", toBe: "\(index + 1)", within: .seconds(5))
            }
            try await worker.log.beats(1)
            #expect(worker.log.records(of: .workerHeartbeat).last?.fields[.listen] == "ok")
            #expect(worker.log.records(of: .workerReady).first?.fields[.pooled] == true)
            #expect(worker.log.records(of: .listenLost).isEmpty)
            #expect(try await database.count(Self.lockless) == 1)
            expectPeace(worker)
            try await worker.stop()
        }
    }

    /// The first connection is direct, the listener's own is not.
    @Test func aListenerBehindThePoolerIsFoundOut() async throws {
        try await stage(.transaction) { database, simulator, bouncer in
            let worker = try await worker(database, simulator, nil) {
                $0.database.listenConninfo = bouncer.conninfo(database.name)
            }
            try await eventually("it says so") { worker.log.records(of: .listenLost).count == 1 }
            try await insert(database, simulator, 0..<20)
            try await database.wait(for: "SELECT count(*) FROM engagements", toBe: "20")
            try await worker.log.beats(10)
            #expect(worker.log.records(of: .workerHeartbeat).last?.fields[.listen] == "polling")
            #expect(worker.log.records(of: .workerReady).first?.fields[.pooled] == false)
            #expect(try await database.count(Self.idle) == 0)
            #expect(try await database.count(Self.lockless) == 0)
            #expect(worker.log.records(of: .listenLost).count == 1)
            expectPeace(worker)
            try await worker.stop()
        }
    }

    @Test func sessionModeIsAsGoodAsADirectConnection() async throws {
        try await stage(.session, poolSize: 12) { database, simulator, bouncer in
            let worker = try await worker(database, simulator, bouncer) { $0.pollInterval = .seconds(60) }
            try await database.wait(
                for: "SELECT count(*) FROM workers WHERE idle_until < clock_timestamp() + interval '42 s'", toBe: "1")
            try await insert(database, simulator, 0..<1)
            try await database.wait(for: "SELECT count(*) FROM engagements", toBe: "1", within: .seconds(5))
            #expect(worker.log.records(of: .workerReady).first?.fields[.pooled] == false)
            #expect(worker.log.records(of: .listenLost).isEmpty)
            #expect(try await database.count(Self.lockless) == 0)
            expectPeace(worker)
            try await worker.stop()
        }
    }

    /// Killed, restarted, and told to renew its connections, in the middle of the work.
    @Test func aPoolerThatGoesAwayChargesNobody() async throws {
        try await stage(.transaction) { database, simulator, bouncer in
            simulator.world.setLatency(.milliseconds(20))
            let worker = try await worker(database, simulator, bouncer) { $0.concurrency = 16 }
            try await insert(database, simulator, 0..<2_000)
            for kill in 1...2 {
                try await eventually("some work") {
                    try await database.count("SELECT count(*) FROM engagements") > kill * 150
                }
                let lost = worker.log.records(of: .dbLost).count
                try await bouncer.kill9()
                try await eventually("it is missed") { worker.log.records(of: .dbLost).count > lost }
                try await bouncer.start()
                try await eventually(within: .seconds(10), "it is back") {
                    worker.log.records(of: .dbRestored).count == worker.log.records(of: .dbLost).count
                }
            }
            let before = try await bouncer.command("SHOW SERVERS")
            for _ in 0..<5 { try await bouncer.command("RECONNECT") }
            try await database.wait(for: "SELECT count(*) FROM engagements", toBe: "2000", within: .seconds(90))
            #expect(try await bouncer.command("SHOW SERVERS") != before)
            try await drained(database)
            #expect(try await database.count("SELECT count(*) FROM dead_letters") == 0)
            // One for each end of it, and one for each connection that finds out late that its own is gone.
            #expect((2...8).contains(worker.log.records(of: .dbLost).count))
            #expect(worker.log.records(of: .listenLost).count == 1)
            #expect(worker.log.records(of: .leaseReclaimed).isEmpty)
            #expect(worker.log.done(.retry).isEmpty && worker.log.done(.dead).isEmpty)
            try await worker.stop()
        }
    }

    /// Postgres restarts behind a pooler that stays: the pooler takes our connections all the time.
    @Test func backendsThatEndBehindThePoolerChargeNobody() async throws {
        try await stage(.transaction) { database, simulator, bouncer in
            simulator.world.setLatency(.milliseconds(20))
            let worker = try await worker(database, simulator, bouncer) { $0.concurrency = 16 }
            try await insert(database, simulator, 0..<1_000)
            var ended = 0
            for round in 1...5 {
                try await eventually("some work") {
                    try await database.count("SELECT count(*) FROM engagements") > round * 100
                }
                ended += try await database.count(
                    """
                    SELECT count(pg_terminate_backend(pid, 5000)) FROM pg_stat_activity
                    WHERE datname = current_database() AND application_name LIKE 'engagement-worker%'
                    """)
            }
            #expect(ended >= 5, "nothing was ended")
            try await database.wait(for: "SELECT count(*) FROM engagements", toBe: "1000", within: .seconds(120))
            try await drained(database)
            #expect(try await database.count("SELECT count(*) FROM dead_letters") == 0)
            #expect(worker.log.done(.retry).isEmpty && worker.log.done(.dead).isEmpty)
            try await worker.stop()
        }
    }

    // MARK: -

    private func stage(
        _ mode: PgBouncer.Mode, poolSize: Int = poolSize,
        _ test: (TestDatabase, Simulator, PgBouncer) async throws -> Void
    ) async throws {
        try await withTestDatabase { database in
            var settings = SimulatorSettings()
            settings.transcriptBytes = 50...100
            settings.children = 0...1
            settings.unfinishedPercent = 0
            let simulator = Simulator(seed: 38, settings: settings)
            try await simulator.start()
            try await PgBouncer.run(mode, poolSize: poolSize) { try await test(database, simulator, $0) }
            await simulator.stop()
        }
    }

    private func worker(
        _ database: TestDatabase, _ simulator: Simulator, _ bouncer: PgBouncer?,
        _ change: (inout Worker.Configuration) -> Void = { _ in }
    ) async throws -> TestWorker {
        try await TestWorker(database, simulator) { configuration in
            if let bouncer { configuration.database.conninfo = bouncer.conninfo(database.name) }
            configuration.heartbeatInterval = .milliseconds(100)
            configuration.pollInterval = .milliseconds(200)
            // A claim whose answer was lost comes back at the end of its lease.
            configuration.lease = .seconds(5)
            change(&configuration)
        }
    }

    private func insert(_ database: TestDatabase, _ simulator: Simulator, _ range: Range<Int>) async throws {
        let rows = range.map { "('\(simulator.world.id($0))')" }.joined(separator: ",")
        try await database.run("INSERT INTO enrichment_queue (engagement_id) VALUES \(rows)")
    }

    /// Empty but for the workers' own looks at what was not ready.
    private func drained(_ database: TestDatabase) async throws {
        try await database.wait(
            for: "SELECT count(*) FROM enrichment_queue WHERE reason IS DISTINCT FROM 'not_ready'", toBe: "0")
    }

    private func expectPeace(_ worker: TestWorker) {
        for event in [LogEvent.dbLost, .leaseReclaimed, .jobStuck, .clockSkew] {
            #expect(worker.log.records(of: event).isEmpty, "\(worker.log.records(of: event))")
        }
    }

    /// A plain client behind the pooler finds sessions as the server makes them, each of the pool's.
    private func expectNothingLeft(_ database: TestDatabase, _ bouncer: PgBouncer) async throws {
        let look = """
            SELECT concat_ws(' ', current_setting('search_path'), current_setting('timezone'),
                current_setting('datestyle'), current_setting('statement_timeout'), current_setting('lock_timeout'),
                current_setting('jit'), current_setting('synchronous_commit'),
                current_setting('idle_in_transaction_session_timeout'),
                current_setting('default_transaction_isolation'),
                (SELECT count(*) FROM pg_prepared_statements),
                (SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid())) AS text
            """
        var plain = ConnectionConfiguration(conninfo: database.conninfo, applicationName: "test plain")
        plain.isPooled = true
        let direct = try await Connection.open(plain)
        let expected = try await direct.run(script: look, name: "look").first?.text("text")
        await direct.close()
        plain.conninfo = bouncer.conninfo(database.name)
        for _ in 0..<20 {
            let client = try await Connection.open(plain)
            #expect(try await client.run(script: look, name: "look").first?.text("text") == expected)
            await client.close()
        }
    }
}
