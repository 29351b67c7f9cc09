import Postgres
import TestKit
import Testing

/// Connecting: what fails, and what every session is like afterwards.
struct ConnectTests {
    @Test func aClosedPortIsAConnectErrorWithoutAState() async throws {
        let port = try closedLoopbackPort()
        let error = try #require(
            try await postgresError { _ = try await open("host=127.0.0.1 port=\(port) user=postgres dbname=postgres") })
        guard case .connect(sqlState: nil) = error else { return #expect(Bool(false), "\(error)") }
        #expect(error.isConnectionLoss && !error.isConfiguration)
    }

    @Test func anUnknownDatabaseIsAConfigurationError() async throws {
        let error = try #require(
            try await postgresError { _ = try await open(TestCluster.conninfo("no_such_database")) })
        #expect(error.sqlState == .unknownDatabase)
        guard case .connect = error else { return #expect(Bool(false), "\(error)") }
        #expect(error.isConfiguration)
    }

    @Test func anUnknownRoleIsAConfigurationError() async throws {
        let error = try #require(
            try await postgresError { _ = try await open(TestCluster.conninfo("postgres") + " user=no_such_role") })
        #expect(error.sqlState == SQLState("28000"))
        #expect(error.isConfiguration)
    }

    @Test func aConnectionStringThatIsNoneIsAConnectError() async throws {
        let error = try #require(try await postgresError { _ = try await open("canary=secret host=/nowhere") })
        guard case .connect = error else { return #expect(Bool(false), "\(error)") }
        #expect(!"\(error)".contains("canary"))
    }

    @Test func aServerThatNeverAnswersIsGivenUpInTime() async throws {
        let silent = try SilentServer()
        defer { silent.stop() }
        var configuration = ConnectionConfiguration(
            conninfo: "host=127.0.0.1 port=\(silent.port) user=postgres", applicationName: "test")
        configuration.connectTimeout = .milliseconds(500)
        let start = ContinuousClock.now
        let error = try await postgresError { _ = try await Connection.open(configuration) }
        guard case .connect(sqlState: nil)? = error else { return #expect(Bool(false), "\(String(describing: error))") }
        #expect(ContinuousClock.now - start < .seconds(20))
    }

    @Test func aSessionPinsItsSettingsAgainstEveryDefault() async throws {
        try await withTestDatabase { database in
            try await database.withRole { role in
                for target in ["ROLE \(role)", "DATABASE \(database.name)"] {
                    for (name, value) in hostileDefaults {
                        try await database.run("ALTER \(target) SET \(name) = \(value)")
                    }
                }
                var configuration = ConnectionConfiguration(
                    conninfo: database.conninfo(as: role), applicationName: "engagement-worker test",
                    schema: "askelephant")
                configuration.statementTimeout = .milliseconds(12_345)
                configuration.lockTimeout = .milliseconds(2_345)
                let connection = try await Connection.open(configuration)
                for (name, value) in pinned {
                    let row = try await connection.query(setting, [.text(name)]).first
                    #expect(try row?.text("v") == value, "\(name)")
                }
                await connection.close()
            }
        }
    }

    @Test func keepalivesOfTheServerArePinnedOverTCP() async throws {
        let connection = try await open(overTCP)
        for (name, value) in [
            ("tcp_keepalives_idle", "30"), ("tcp_keepalives_interval", "10"), ("tcp_keepalives_count", "3"),
        ] {
            #expect(try await connection.query(setting, [.text(name)]).first?.text("v") == value)
        }
        await connection.close()
    }

    @Test func claimsMayBeAsynchronousAndSaySo() async throws {
        var configuration = ConnectionConfiguration(
            conninfo: TestCluster.conninfo("postgres"), applicationName: "test")
        configuration.synchronousCommit = false
        let connection = try await Connection.open(configuration)
        #expect(try await connection.query(setting, [.text("synchronous_commit")]).first?.text("v") == "off")
        await connection.close()
    }

    @Test(arguments: ["Mixed Case", #"with "quotes" inside"#, "it's", "a, b", "ünïcode", "select", #"back\slash"#])
    func anySchemaNameIsFound(_ schema: String) async throws {
        try await withTestDatabase { database in
            try await database.run(
                "CREATE SCHEMA \(quoteIdentifier(schema)); CREATE TABLE \(quoteIdentifier(schema)).here AS SELECT 7 AS n"
            )
            let connection = try await Connection.open(
                ConnectionConfiguration(conninfo: database.conninfo, applicationName: "test", schema: schema))
            let row = try #require(try await connection.query(currentSchema).first)
            #expect(try row.text("schema") == schema)
            #expect(try await connection.run(script: "SELECT n FROM here", name: "here").first?.integer("n") == 7)
            await connection.close()
        }
    }

    @Test func theSharedLockIsHeldUntilTheSessionEnds() async throws {
        let key = Int64.random(in: .min ... .max)
        let other = try await open(TestCluster.conninfo("postgres"))
        var configuration = ConnectionConfiguration(
            conninfo: TestCluster.conninfo("postgres"), applicationName: "test")
        configuration.sharedLock = key
        let first = try await Connection.open(configuration)
        let second = try await Connection.open(configuration)
        #expect(try await isFree(key, other) == false)
        await first.close()
        #expect(try await isFree(key, other) == false, "the second session still holds it")
        await second.close()
        try await eventually(within: .seconds(5), "the lock is free") { try await isFree(key, other) }
        await other.close()
    }

    // MARK: -

    private let setting = Statement(name: "setting", sql: "SELECT current_setting($1::text) AS v")
    private let currentSchema = Statement(name: "schema", sql: "SELECT current_schema() AS schema")

    private let hostileDefaults = [
        ("default_transaction_isolation", "'serializable'"), ("datestyle", "'German'"), ("timezone", "'Asia/Kolkata'"),
        ("jit", "on"), ("standard_conforming_strings", "off"), ("bytea_output", "'escape'"),
        ("statement_timeout", "'7s'"), ("lock_timeout", "'7s'"), ("idle_in_transaction_session_timeout", "'7s'"),
        ("synchronous_commit", "off"), ("search_path", "nowhere"), ("client_encoding", "'LATIN1'"),
    ]

    private let pinned = [
        ("transaction_isolation", "read committed"), ("default_transaction_isolation", "read committed"),
        ("datestyle", "ISO, YMD"), ("timezone", "UTC"), ("jit", "off"), ("standard_conforming_strings", "on"),
        ("bytea_output", "hex"), ("statement_timeout", "12345ms"), ("lock_timeout", "2345ms"),
        ("idle_in_transaction_session_timeout", "1min"), ("synchronous_commit", "on"), ("client_encoding", "UTF8"),
        ("search_path", #""askelephant", pg_temp"#), ("application_name", "engagement-worker test"),
    ]

    private func isFree(_ key: Int64, _ connection: Connection) async throws -> Bool {
        let row = try #require(
            try await connection.query(
                Statement(
                    name: "try_lock",
                    sql: "SELECT CASE WHEN pg_try_advisory_lock($1) THEN pg_advisory_unlock($1) ELSE false END AS free"),
                [.bigint(key)]
            ).first)
        return try row.boolean("free")
    }
}
