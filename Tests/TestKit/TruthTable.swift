package import Postgres

/// Rows by key with their values as text: what is expected of a table, or what was read from it.
package struct TruthTable: Sendable {
    package let name: String
    package let columns: [String]
    private var rows: [String: [String?]] = [:]
    private var repeated: [String] = []

    package init(_ name: String, columns: [String]) {
        self.name = name
        self.columns = columns
    }

    /// Reads the rows of a query whose first column is the key and whose others are those of the table, in order.
    package init(like expected: TruthTable, rows: [Row]) throws {
        self.init(expected.name, columns: expected.columns)
        for row in rows {
            let values = try row.columnNames.map { try row.text(named: $0) }
            add(values[0] ?? "NULL", Array(values.dropFirst()))
        }
    }

    package var keys: Set<String> { Set(rows.keys) }

    package mutating func add(_ key: String, _ values: [String?]) {
        precondition(values.count == columns.count, "\(name): \(values.count) values for \(columns.count) columns")
        if rows.updateValue(values, forKey: key) != nil { repeated.append(key) }
    }

    /// Without the rows of other keys.
    package func restricted(to isMeant: (String) -> Bool) -> TruthTable {
        var copy = self
        copy.rows = rows.filter { isMeant($0.key) }
        return copy
    }

    /// In words, the first few that differ.
    package func differences(from actual: TruthTable, limit: Int = 5) -> [String] {
        let found =
            (repeated + actual.repeated).map { "\(name) \($0): twice" }
            + keys.subtracting(actual.keys).sorted().map { "\(name) \($0): no such row" }
            + actual.keys.subtracting(keys).sorted().map { "\(name) \($0): a row too many" }
            + rows.keys.sorted().flatMap { key in differences(of: key, actual) }
        guard found.count > limit else { return found }
        return found.prefix(limit) + ["\(name): \(found.count) differences in all"]
    }

    private func differences(of key: String, _ actual: TruthTable) -> [String] {
        guard let expected = rows[key], let found = actual.rows[key] else { return [] }
        return columns.indices.filter { expected[$0] != found[$0] }.map { index in
            "\(name) \(key) \(columns[index]): expected \(shown(expected[index])), found \(shown(found[index]))"
        }
    }

    private func shown(_ value: String?) -> String { value.map { "'\($0.prefix(60))'" } ?? "NULL" }
}
