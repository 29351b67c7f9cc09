import Postgres
import TestKit
import Testing

/// What the server refuses: the connection stays, the error says where, and nothing quotes a value.
struct ServerErrorTests {
    private let canary = "canary-7f3a transcript"
    private let insert = Statement(
        name: "item_insert", sql: "INSERT INTO item (id, body) VALUES ($1::bigint, $2::text)")
    private let cast = Statement(name: "item_cast", sql: "SELECT $1::text::jsonb")

    private func withTable(_ test: (Connection) async throws -> Void) async throws {
        let connection = try await open()
        try await connection.run(
            script: """
                CREATE TEMP TABLE item (
                    id bigint CONSTRAINT item_key PRIMARY KEY,
                    body text NOT NULL CONSTRAINT item_body_short CHECK (length(body) < 30)
                )
                """, name: "item_create")
        try await test(connection)
        await connection.close()
    }

    @Test func aViolationNamesConstraintTableAndStatement() async throws {
        try await withTable { connection in
            let error = try #require(
                try await postgresError {
                    _ = try await connection.query(
                        insert, [.bigint(1), .text(canary + String(repeating: "x", count: 30))])
                })
            guard case .server(let details) = error else { return #expect(Bool(false), "\(error)") }
            #expect(details.sqlState == SQLState("23514"))
            #expect(details.constraint == "item_body_short" && details.table == "item")
            #expect(details.statement == "item_insert")
            expectSilence(error)
            #expect(!error.isConnectionLoss && !error.isConfiguration)
        }
    }

    @Test func everyRefusalLeavesTheConnectionUsableAndSaysNothingOfValues() async throws {
        try await withTable { connection in
            _ = try await connection.query(insert, [.bigint(1), .text(canary)])
            let refusals: [(SQLState, () async throws -> Void)] = [
                (SQLState("23505"), { _ = try await connection.query(insert, [.bigint(1), .text(canary)]) }),
                (SQLState("23502"), { _ = try await connection.query(insert, [.bigint(2), .textOrNull(nil)]) }),
                (SQLState("22P02"), { _ = try await connection.query(cast, [.text(canary)]) }),
                (.undefinedTable, { try await connection.run(script: "SELECT * FROM \"\(canary)\"", name: "s") }),
                (
                    SQLState("P0001"),
                    {
                        try await connection.run(script: "DO $$ BEGIN RAISE EXCEPTION '\(canary)'; END $$", name: "s")
                    }
                ),
                (SQLState("42601"), { try await connection.run(script: "SELEC '\(canary)'", name: "s") }),
            ]
            for (state, refused) in refusals {
                let error = try #require(try await postgresError(refused))
                #expect(error.sqlState == state)
                expectSilence(error)
                #expect(try await connection.query(one).first?.integer("n") == 1)
            }
            #expect(
                try await connection.run(script: "SELECT count(*) AS n FROM item", name: "s").first?.integer("n") == 1)
        }
    }

    @Test func aScriptStopsAtItsFirstErrorAndReportsThatOne() async throws {
        try await withTable { connection in
            let error = try await postgresError {
                try await connection.run(
                    script: "INSERT INTO item VALUES (5, 'a'); SELECT 1/0; SELECT * FROM nowhere", name: "script")
            }
            #expect(error?.sqlState == SQLState("22012"))
            // The simple protocol runs a script in one transaction.
            #expect(
                try await connection.run(script: "SELECT count(*) AS n FROM item", name: "s").first?.integer("n") == 0)
        }
    }

    @Test func theServersOwnTimeoutIsAServerError() async throws {
        var configuration = ConnectionConfiguration(conninfo: TestCluster.conninfo("postgres"), applicationName: "test")
        configuration.statementTimeout = .milliseconds(100)
        let connection = try await Connection.open(configuration)
        let error = try await postgresError {
            _ = try await connection.query(Statement(name: "slow", sql: "SELECT pg_sleep(20)"))
        }
        #expect(error?.sqlState == .queryCancelled && error?.isConnectionLoss == false)
        #expect(try await connection.query(one).first?.integer("n") == 1)
        await connection.close()
    }

    @Test func noticesOfTheServerAreDroppedAndHarmless() async throws {
        let connection = try await open()
        try await connection.run(
            script: "DO $$ BEGIN FOR i IN 1..1000 LOOP RAISE WARNING 'canary %', i; END LOOP; END $$", name: "noise")
        #expect(try await connection.query(one).first?.integer("n") == 1)
        await connection.close()
    }

    @Test func aPreparedStatementThatWasRefusedOnceWorksLater() async throws {
        let connection = try await open()
        let late = Statement(name: "late", sql: "SELECT n FROM late_table")
        #expect(try await postgresError { _ = try await connection.query(late) }?.sqlState == .undefinedTable)
        try await connection.run(script: "CREATE TEMP TABLE late_table AS SELECT 5 AS n", name: "create")
        #expect(try await connection.query(late).first?.integer("n") == 5)
        await connection.close()
    }

    private func expectSilence(_ error: PostgresError) {
        for text in ["\(error)", String(describing: error), String(reflecting: error)] {
            #expect(!text.contains("canary"), "\(text)")
        }
        var dumped = ""
        dump(error, to: &dumped)
        #expect(!dumped.contains("canary"), "\(dumped)")
    }
}
