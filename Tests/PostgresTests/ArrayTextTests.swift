import Postgres
import TestKit
import Testing

/// Arrays as PostgreSQL writes them.
struct ArrayTextTests {
    @Test(
        arguments: [
            [], ["a"], ["a", "b"], [""], ["NULL"], [nil], [nil, "NULL", nil], ["a,b", "{c}", "d e"],
            ["\"", "\\", "\\\""],
            ["'", "\n", "é😀"], [" a "],
        ] as [[String?]])
    func whatPostgresWritesIsReadAsItWas(_ elements: [String?]) async throws {
        let connection = try await Connection.open(
            ConnectionConfiguration(conninfo: TestCluster.conninfo("postgres"), applicationName: "test"))
        let echo = Statement(name: "echo", sql: "SELECT $1::text[] AS a")
        let row = try #require(try await connection.query(echo, [.texts(elements)]).first)
        #expect(row.columnTypes == [1009])
        #expect(ArrayText.elements(try row.text("a")) == elements)
        await connection.close()
    }

    @Test(arguments: ["", "a", "{", "{a", "{\"a}", "{{a},{b}}", "{a\\}"]) func anythingElseIsNone(_ text: String) {
        #expect(ArrayText.elements(text) == nil)
    }

    @Test func aColumnTellsItsType() async throws {
        let connection = try await Connection.open(
            ConnectionConfiguration(conninfo: TestCluster.conninfo("postgres"), applicationName: "test"))
        let rows = try await connection.run(
            script: "SELECT true AS a, 1::bigint AS b, 'x'::text AS c, 1.5::float8 AS d, NULL::int AS e", name: "types")
        #expect(rows.first?.columnTypes == [16, 20, 25, 701, 23])
        #expect(rows.first?.texts == ["t", "1", "x", "1.5", nil])
        await connection.close()
    }
}
