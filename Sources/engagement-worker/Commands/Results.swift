import ArgumentParser
import Postgres

enum OutputFormat: String, ExpressibleByArgument, CaseIterable {
    case table, json
}

/// Rows of a statement for people or programs, columns in the statement's order.
struct Results {
    let rows: [Row]

    var columns: [String] { rows.first?.columnNames ?? [] }

    func table(_ style: Style) -> String {
        guard !rows.isEmpty else { return "none\n" }
        var table = Table(
            zip(columns, rows[0].columnTypes).map { .init(title: $0, alignment: OID.isNumber($1) ? .right : .left) })
        // A sentence comes last and is worth reading to its end.
        table.columns[columns.count - 1].maximumWidth = 200
        for row in rows { table.add(zip(row.texts, row.columnTypes).map(Self.cell)) }
        return table.text(style: style)
    }

    /// Each value by the type of its column, whatever it looks like.
    var json: JSONText {
        .array(
            rows.map { row in
                .object(
                    zip(row.columnNames, zip(row.texts, row.columnTypes)).map { name, value in
                        JSONText.Member(name: name, value: Self.value(value.0, type: value.1))
                    })
            }
        )
    }

    var first: JSONText {
        if case .array(let rows) = json, let first = rows.first { return first }
        return .null
    }

    /// An array as its elements; an empty one as nothing.
    private static func cell(_ text: String?, type: UInt32) -> String? {
        guard let text, type == OID.texts, let elements = ArrayText.elements(text) else { return text }
        return elements.isEmpty ? nil : elements.map { $0 ?? "-" }.joined(separator: ", ")
    }

    private static func value(_ text: String?, type: UInt32) -> JSONText {
        guard let text else { return .null }
        return switch type {
        case OID.boolean: .boolean(text == "t")
        case OID.smallint, OID.integer, OID.bigint: Int(text).map(JSONText.integer) ?? .string(text)
        case OID.real, OID.double, OID.numeric: Double(text).map(JSONText.double) ?? .string(text)
        case OID.texts: ArrayText.elements(text).map { .array($0.map { JSONText($0) }) } ?? .string(text)
        default: .string(text)
        }
    }

    /// Of PostgreSQL's `pg_type.dat`.
    private enum OID {
        static let boolean: UInt32 = 16
        static let bigint: UInt32 = 20
        static let smallint: UInt32 = 21
        static let integer: UInt32 = 23
        static let real: UInt32 = 700
        static let double: UInt32 = 701
        static let texts: UInt32 = 1009
        static let numeric: UInt32 = 1700

        static func isNumber(_ type: UInt32) -> Bool {
            [bigint, smallint, integer, real, double, numeric].contains(type)
        }
    }
}
