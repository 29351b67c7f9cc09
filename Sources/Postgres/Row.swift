/// One row of a result, already copied out of libpq: values in text format by column name.
package struct Row: Sendable {
    let columns: Columns
    let values: [String?]

    /// The column names and types of a result, shared by its rows.
    final class Columns: Sendable {
        let names: [String]
        let types: [UInt32]

        init(names: [String], types: [UInt32]) {
            self.names = names
            self.types = types
        }
    }

    package var columnNames: [String] { columns.names }

    /// The OIDs of the columns' types, from PostgreSQL's `pg_type.dat`, in the order of the names.
    package var columnTypes: [UInt32] { columns.types }

    /// The values in the order of the columns, in text format.
    package var texts: [String?] { values }

    package func textIfPresent(_ column: StaticString) throws(PostgresError) -> String? {
        try text(named: String(describing: column))
    }

    /// For rows whose columns are not known when compiling: tables for people.
    package func text(named name: String) throws(PostgresError) -> String? {
        guard let index = columns.names.firstIndex(of: name) else { throw .unexpectedResult(column: name) }
        return values[index]
    }

    package func text(_ column: StaticString) throws(PostgresError) -> String {
        guard let value = try textIfPresent(column) else { throw .unexpectedResult(column: String(describing: column)) }
        return value
    }

    package func integerIfPresent(_ column: StaticString) throws(PostgresError) -> Int64? {
        guard let value = try textIfPresent(column) else { return nil }
        guard let number = Int64(value) else { throw .unexpectedResult(column: String(describing: column)) }
        return number
    }

    package func integer(_ column: StaticString) throws(PostgresError) -> Int64 {
        guard let value = try integerIfPresent(column) else {
            throw .unexpectedResult(column: String(describing: column))
        }
        return value
    }

    package func doubleIfPresent(_ column: StaticString) throws(PostgresError) -> Double? {
        guard let value = try textIfPresent(column) else { return nil }
        guard let number = Double(value) else { throw .unexpectedResult(column: String(describing: column)) }
        return number
    }

    package func boolean(_ column: StaticString) throws(PostgresError) -> Bool {
        switch try text(column) {
        case "t": return true
        case "f": return false
        default: throw .unexpectedResult(column: String(describing: column))
        }
    }
}
