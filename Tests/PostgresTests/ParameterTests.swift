import Postgres
import TestKit
import Testing

/// Texts that a careless encoding would break.
private let awkward = [
    "", " ", "NULL", "{}", "{a,b}", "\"", "\\", "\\.", "'; DROP TABLE x; --", "$1", "ß漢字😀", "e\u{301}", "\u{1}\u{7F}",
    "a\nb\tc\r\n", "\u{FEFF}bom", "\u{FFFD}", "\u{10FFFF}",
]

/// Every kind of parameter arrives as it was meant.
struct ParameterTests {
    private let text = Statement(
        name: "text", sql: "SELECT $1::text AS v, octet_length($1::text) AS bytes, $1::text IS NULL AS missing")
    private let bigint = Statement(name: "bigint", sql: "SELECT $1::bigint AS v, $1::bigint IS NULL AS missing")
    private let double = Statement(name: "double", sql: "SELECT $1::double precision AS v")
    private let boolean = Statement(name: "boolean", sql: "SELECT $1::boolean AS v, pg_typeof($1::boolean) AS type")
    private let texts = Statement(
        name: "texts", sql: "SELECT u.v, u.n FROM unnest($1::text[]) WITH ORDINALITY AS u(v, n) ORDER BY u.n")
    private let bigints = Statement(
        name: "bigints", sql: "SELECT u.v, u.n FROM unnest($1::bigint[]) WITH ORDINALITY AS u(v, n) ORDER BY u.n")
    private let doubles = Statement(
        name: "doubles",
        sql: "SELECT u.v, u.n FROM unnest($1::double precision[]) WITH ORDINALITY AS u(v, n) ORDER BY u.n")
    private let sizes = Statement(
        name: "sizes",
        sql: """
            SELECT cardinality($1::text[]) AS texts, cardinality($2::bigint[]) AS bigints,
                   cardinality($3::double precision[]) AS doubles, cardinality($4::text[]) AS utf8
            """)

    @Test(arguments: awkward) func textArrives(_ value: String) async throws {
        let connection = try await open()
        for parameter in [Parameter.text(value), .textOrNull(value)] {
            let row = try #require(try await connection.query(text, [parameter]).first)
            #expect(Array(try row.text("v").utf8) == Array(value.utf8))
            #expect(try row.integer("bytes") == value.utf8.count)
            #expect(try row.boolean("missing") == false)
        }
        await connection.close()
    }

    @Test func nullsAreNulls() async throws {
        let connection = try await open()
        for parameter in [Parameter.null, .textOrNull(nil)] {
            let row = try #require(try await connection.query(text, [parameter]).first)
            #expect(try row.textIfPresent("v") == nil && row.boolean("missing"))
        }
        for parameter in [Parameter.null, .bigintOrNull(nil)] {
            let row = try #require(try await connection.query(bigint, [parameter]).first)
            #expect(try row.integerIfPresent("v") == nil && row.boolean("missing"))
        }
        await connection.close()
    }

    @Test func integersArrive() async throws {
        let connection = try await open()
        let values: [Int64] = [.min, -1, 0, 1, 255, 256, 1 << 32, .max]
        for value in values {
            #expect(try await connection.query(bigint, [.bigint(value)]).first?.integer("v") == value)
            #expect(try await connection.query(bigint, [.bigintOrNull(value)]).first?.integer("v") == value)
        }
        #expect(try await connection.query(bigints, [.bigints(values)]).map { try $0.integer("v") } == values)
        await connection.close()
    }

    @Test func doublesArriveToTheLastBit() async throws {
        let connection = try await open()
        let values: [Double] = [
            0, -0.0, 0.1, 1 / 3, -1e-300, .leastNonzeroMagnitude, .greatestFiniteMagnitude, .infinity, -.infinity, .nan,
        ]
        for value in values {
            let back = try #require(try await connection.query(double, [.double(value)]).first?.doubleIfPresent("v"))
            #expect(back.bitPattern == value.bitPattern || back.isNaN && value.isNaN, "\(value)")
        }
        let back = try await connection.query(doubles, [.doubles(values)]).map { try $0.doubleIfPresent("v") }
        #expect(back.map { $0?.description } == values.map { Optional($0.description) })
        await connection.close()
    }

    @Test func booleansArrive() async throws {
        let connection = try await open()
        for value in [true, false] {
            let row = try #require(try await connection.query(boolean, [.boolean(value)]).first)
            #expect(try row.boolean("v") == value && row.text("type") == "boolean")
        }
        await connection.close()
    }

    @Test func textArraysKeepNullsEmptyStringsAndOrder() async throws {
        let connection = try await open()
        let values: [String?] = [nil, "", nil] + awkward + [nil]
        for parameter in [Parameter.texts(values), .utf8(values.map { $0.map { Array($0.utf8) } })] {
            let rows = try await connection.query(texts, [parameter])
            #expect(
                try rows.map { try $0.textIfPresent("v").map { Array($0.utf8) } }
                    == values.map { $0.map { Array($0.utf8) } })
            #expect(try rows.map { try $0.integer("n") } == (1...Int64(values.count)).map { $0 })
        }
        await connection.close()
    }

    @Test func emptyArraysAreEmptyAndNotNull() async throws {
        let connection = try await open()
        let row = try #require(
            try await connection.query(sizes, [.texts([]), .bigints([]), .doubles([]), .utf8([])]).first)
        for column in row.columnNames { #expect(try row.text(named: column) == "0", "\(column)") }
        let nulls = try #require(
            try await connection.query(sizes, [.texts([nil]), .bigints([0]), .doubles([0]), .utf8([nil, nil])]).first)
        #expect(try nulls.columnNames.map { try nulls.text(named: $0) } == ["1", "1", "1", "2"])
        await connection.close()
    }

    @Test func fiveMegabytesArriveAndComeBack() async throws {
        let connection = try await open()
        let large = String(repeating: "漢字😀a", count: 450_000)
        let row = try #require(try await connection.query(text, [.text(large)]).first)
        #expect(try row.text("v") == large)
        let rows = try await connection.query(texts, [.utf8([Array(large.utf8), [], Array(large.utf8)])])
        #expect(try rows.map { try $0.text("v") } == [large, "", large])
        await connection.close()
    }

    @Test func whatIsNoTextIsRefusedByTheServerAlone() async throws {
        let connection = try await open()
        let broken: [Parameter] = [
            .utf8([[0xFF, 0xFE]]), .utf8([[0xC3]]), .utf8([[0xED, 0xA0, 0x80]]), .utf8([[0x61, 0x00, 0x62]]),
            .texts(["a\0b"]),
        ]
        for parameter in broken {
            let error = try await postgresError { _ = try await connection.query(texts, [parameter]) }
            #expect(error?.sqlState == SQLState("22021"))
            #expect(error?.isConnectionLoss == false)
        }
        #expect(try await connection.query(one).first?.integer("n") == 1)
        await connection.close()
    }
}
