import Postgres
import Synchronization
import TestKit
import Testing

/// Connections through a pooler that gives each transaction another session.
@Suite(.serialized) struct PooledTests {
    private func configuration(_ conninfo: String, isPooled: Bool = true) -> ConnectionConfiguration {
        var configuration = ConnectionConfiguration(conninfo: conninfo, applicationName: "test", schema: "pg_catalog")
        configuration.isPooled = isPooled
        configuration.sharedLock = 4711
        return configuration
    }

    private func settings(_ connection: Connection) async throws -> String {
        try await connection.query(
            Statement(
                name: "settings",
                sql: """
                    SELECT concat_ws(' ', current_setting('search_path'), current_setting('timezone'),
                        current_setting('statement_timeout'), current_setting('lock_timeout'), current_setting('jit'),
                        current_setting('synchronous_commit'), current_setting('transaction_isolation'),
                        (SELECT count(*) FROM pg_prepared_statements),
                        (SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid())) AS text
                    """)
        ).first?.text("text") ?? ""
    }

    private static let plain = """
        SELECT concat_ws(' ', current_setting('search_path'), current_setting('timezone'),
            current_setting('statement_timeout'), current_setting('lock_timeout'), current_setting('jit'),
            current_setting('synchronous_commit'), current_setting('transaction_isolation'),
            (SELECT count(*) FROM pg_prepared_statements),
            (SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid())) AS text
        """

    /// Also without a pooler, whatever the role's defaults are.
    @Test func eachStatementHasItsSettingsAndLeavesNone() async throws {
        let connection = try await Connection.open(
            configuration(
                TestCluster.conninfo("postgres") + " options='-c default_transaction_isolation=serializable -c jit=on'")
        )
        let before = try await connection.run(script: Self.plain, name: "plain").first?.text("text")
        #expect(before?.hasSuffix("serializable 0 0") == true)
        for _ in 0..<2 {
            #expect(
                try await settings(connection)
                    == "\"pg_catalog\", pg_temp UTC 55s 3s off on read committed 0 0")
            #expect(try await connection.run(script: Self.plain, name: "plain").first?.text("text") == before)
        }
        await connection.close()
    }

    @Test func aFailedStatementIsRolledBackAndTheNextOneWorks() async throws {
        let connection = try await Connection.open(configuration(TestCluster.conninfo("postgres")))
        let divide = Statement(name: "divide", sql: "SELECT 1 / $1::bigint AS n")
        for _ in 0..<3 {
            let error = try await postgresError { _ = try await connection.query(divide, [.bigint(0)]) }
            #expect(error?.sqlState == SQLState("22012"))
            #expect(try await connection.query(divide, [.bigint(1)]).first?.integer("n") == 1)
        }
        let wrong = Statement(name: "wrong", sql: "SELEC 1")
        #expect(try await postgresError { _ = try await connection.query(wrong) }?.sqlState == SQLState("42601"))
        #expect(try await connection.run(script: "SELECT 2 AS n", name: "script").first?.integer("n") == 2)
        // Refused only when the transaction ends.
        try await connection.run(
            script: """
                CREATE TEMP TABLE parent (id bigint PRIMARY KEY);
                CREATE TEMP TABLE child (id bigint REFERENCES parent DEFERRABLE INITIALLY DEFERRED)
                """, name: "tables")
        let insert = Statement(name: "insert", sql: "INSERT INTO pg_temp.child VALUES ($1::bigint)")
        #expect(
            try await postgresError { _ = try await connection.query(insert, [.bigint(1)]) }?.sqlState
                == SQLState("23503"))
        #expect(try await connection.query(one).first?.integer("n") == 1)
        await connection.close()
    }

    @Test func aSlowStatementIsCancelledByItsOwnTimeout() async throws {
        var quick = configuration(TestCluster.conninfo("postgres"))
        quick.statementTimeout = .milliseconds(100)
        let connection = try await Connection.open(quick)
        let sleep = Statement(name: "sleep", sql: "SELECT pg_sleep(20)")
        #expect(try await postgresError { _ = try await connection.query(sleep) }?.sqlState == .queryCancelled)
        #expect(try await connection.query(one).first?.integer("n") == 1)
        // And one that nobody stops is left by its deadline.
        let error = try await postgresError { _ = try await connection.query(sleep, timeout: .milliseconds(50)) }
        guard case .deadline = error else { return #expect(Bool(false), "\(String(describing: error))") }
        #expect(await !connection.isOpen)
    }

    /// More clients than sessions, several megabytes each way, errors in between.
    @Test func manyClientsShareFewSessions() async throws {
        try await PgBouncer.run(.transaction, poolSize: 2) { bouncer in
            let echo = Statement(name: "echo", sql: "SELECT $1::text AS text, pg_backend_pid() AS pid")
            let divide = Statement(name: "divide", sql: "SELECT 1 / $1::bigint")
            let pids = try await withThrowingTaskGroup(of: Set<Int64>.self) { group in
                for client in 0..<6 {
                    group.addTask {
                        let connection = try await Connection.open(configuration(bouncer.conninfo("postgres")))
                        var pids: Set<Int64> = []
                        for turn in 0..<20 {
                            let text = String(repeating: "\(client).\(turn) ", count: turn == 7 ? 400_000 : 10)
                            let row = try #require(try await connection.query(echo, [.text(text)]).first)
                            #expect(try row.text("text") == text)
                            pids.insert(try row.integer("pid"))
                            let error = try await postgresError {
                                _ = try await connection.query(divide, [.bigint(0)])
                            }
                            #expect(error?.sqlState == SQLState("22012"))
                        }
                        await connection.close()
                        return pids
                    }
                }
                return try await group.reduce(into: Set<Int64>()) { $0.formUnion($1) }
            }
            #expect((1...2).contains(pids.count), "\(pids.count) sessions: they went through the pooler")
            for _ in 0..<4 {
                let direct = try await open()
                let pooled = try await Connection.open(configuration(bouncer.conninfo("postgres")))
                let (expected, found) = (
                    try await direct.run(script: Self.plain, name: "plain").first?.text("text"),
                    try await pooled.run(script: Self.plain, name: "plain").first?.text("text")
                )
                #expect(found?.contains("55s") == false && found?.hasSuffix("0 0") == true, "\(found ?? "")")
                #expect(expected?.isEmpty == false)
                await direct.close()
                await pooled.close()
            }
        }
    }

    @Test(arguments: [(PgBouncer.Mode?.none, true), (.session, true), (.transaction, false)])
    func aNotificationComesBackUnlessSessionsAreShared(mode: PgBouncer.Mode?, isHeard: Bool) async throws {
        func find(_ conninfo: String) async throws {
            let listener = try await Connection.open(configuration(conninfo))
            let notifier = try await Connection.open(configuration(conninfo))
            let heard = try await listener.hears(channel: "trial") { () throws(PostgresError) in
                _ = try await notifier.query(Notifications.notify, [.text("trial")])
            }
            #expect(heard == isHeard)
            await listener.close()
            await notifier.close()
        }
        guard let mode else { return try await find(TestCluster.conninfo("postgres")) }
        // With one session for both the notification goes to that session, and to the wrong client.
        for poolSize in mode == .session ? [4] : [1, 4] {
            try await PgBouncer.run(mode, poolSize: poolSize) { try await find($0.conninfo("postgres")) }
        }
    }

    /// A pooler that was not noticed at the start shows by statements that are not there, or are there already.
    @Test func aPoolerThatWasNotNoticedIsNoticedByItsErrors() async throws {
        try await PgBouncer.run(.transaction, poolSize: 2) { bouncer in
            let told = Mutex<[String]>([])
            let sessions = (0..<4).map { _ in
                Session(configuration(bouncer.conninfo("postgres"), isPooled: false)) { event in
                    let word =
                        switch event {
                        case .lost(let error): error.isForeignSession ? "lost by it" : "lost \(error)"
                        case .restored: "restored"
                        case .noted: "noted"
                        case .pooled: "pooled"
                        }
                    told.withLock { $0.append(word) }
                }
            }
            for turn in 0..<5 {
                for session in sessions {
                    if let error = try await postgresError({ _ = try await session.query(one) }) {
                        #expect(error.isConnectionLoss && error.isForeignSession, "\(error)")
                    }
                    if turn > 1 { #expect(try await session.query(one).first?.integer("n") == 1) }
                }
            }
            let words = told.withLock(\.self)
            #expect(words.contains("pooled"), "no error of the pooler: nothing was tested")
            #expect(Set(words) == ["pooled", "lost by it", "restored"], "\(words)")
            for session in sessions { await session.close() }
        }
    }
}
