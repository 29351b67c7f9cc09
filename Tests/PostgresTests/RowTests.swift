import Postgres
import TestKit
import Testing

/// Rows, and what typed access says when the SQL and the code differ.
struct RowTests {
    @Test func aMissingColumnIsAnUnexpectedResult() async throws {
        try await withRow("SELECT 1 AS a") { row in
            #expect(row.columnNames == ["a"])
            expect("b") { _ = try row.text("b") }
            expect("b") { _ = try row.integerIfPresent("b") }
            expect("b") { _ = try row.doubleIfPresent("b") }
            expect("b") { _ = try row.boolean("b") }
            expect("A") { _ = try row.text(named: "A") }
        }
    }

    @Test func nullIsAnUnexpectedResultOnlyWhereAValueIsDue() async throws {
        try await withRow("SELECT NULL::text AS a") { row in
            let (text, integer, double) = (
                try row.textIfPresent("a"), try row.integerIfPresent("a"), try row.doubleIfPresent("a")
            )
            #expect(text == nil && integer == nil && double == nil)
            expect("a") { _ = try row.text("a") }
            expect("a") { _ = try row.integer("a") }
            expect("a") { _ = try row.boolean("a") }
        }
    }

    @Test func aValueOfAnotherTypeIsAnUnexpectedResult() async throws {
        try await withRow("SELECT 'canary' AS a, '9223372036854775808' AS b, '1.5' AS c, true::text AS d") { row in
            expect("a") { _ = try row.integer("a") }
            expect("a") { _ = try row.doubleIfPresent("a") }
            expect("b") { _ = try row.integer("b") }
            expect("c") { _ = try row.integer("c") }
            let number = try row.doubleIfPresent("c")
            #expect(number == 1.5)
            expect("d") { _ = try row.boolean("d") }
            expect("a") { _ = try row.boolean("a") }
        }
    }

    @Test func rowsComeInOrderAndShareTheirColumns() async throws {
        let connection = try await open()
        let rows = try await connection.run(
            script: "SELECT i AS n, repeat('x', i) AS t FROM generate_series(0, 999) AS i ORDER BY i", name: "rows")
        #expect(try rows.map { try $0.integer("n") } == Array(0..<1000))
        #expect(try rows.map { try $0.text("t").utf8.count } == Array(0..<1000))
        await connection.close()
    }

    @Test func aStatementWithoutRowsGivesNone() async throws {
        let connection = try await open()
        for script in ["", ";", "-- nothing", "SET datestyle = 'ISO, YMD'", "SELECT WHERE false"] {
            #expect(try await connection.run(script: script, name: "none").isEmpty, "\(script)")
        }
        #expect(try await connection.run(script: "SELECT", name: "none").count == 1)
        await connection.close()
    }

    @Test func aScriptGivesTheRowsOfItsLastStatement() async throws {
        let connection = try await open()
        let rows = try await connection.run(script: "SELECT 1 AS n; SELECT 2 AS n; SELECT 3 AS n", name: "last")
        #expect(try rows.map { try $0.integer("n") } == [3])
        await connection.close()
    }

    // MARK: -

    private func withRow(_ sql: String, _ test: (Row) throws -> Void) async throws {
        let connection = try await open()
        try test(try #require(try await connection.run(script: sql, name: "row").first))
        await connection.close()
    }

    private func expect(_ column: String, _ access: () throws -> Void) {
        do {
            try access()
            Issue.record("no error for \(column)")
        } catch PostgresError.unexpectedResult(let found) {
            #expect(found == column)
        } catch {
            Issue.record("another error: \(error)")
        }
    }
}
