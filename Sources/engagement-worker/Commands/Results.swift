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
        var table = Table(columns.map { Table.Column(title: $0) })
        // A sentence comes last and is worth reading to its end.
        table.columns[columns.count - 1].maximumWidth = 200
        for row in rows { table.add(columns.map { (try? row.text(named: $0)) ?? nil }) }
        return table.text(style: style)
    }

    /// Numbers as numbers where they are nothing else.
    var json: JSONText {
        .array(
            rows.map { row in
                .object(columns.map { JSONText.Member(name: $0, value: Self.value((try? row.text(named: $0)) ?? nil)) })
            }
        )
    }

    var first: JSONText {
        if case .array(let rows) = json, let first = rows.first { return first }
        return .null
    }

    private static func value(_ text: String?) -> JSONText {
        guard let text else { return .null }
        if text == "t" || text == "f" { return .boolean(text == "t") }
        if let integer = Int(text), String(integer) == text { return .integer(integer) }
        if text.contains("."), text.allSatisfy({ $0.isASCII && ($0.isNumber || $0 == ".") }), let number = Double(text)
        {
            return .double(number)
        }
        return .string(text)
    }
}
