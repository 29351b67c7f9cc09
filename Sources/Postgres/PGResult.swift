import CLibPQ

/// A `PGresult` that clears itself; its content leaves as rows or an error.
struct PGResult: ~Copyable {
    private let result: OpaquePointer

    init(_ result: OpaquePointer) { self.result = result }

    deinit { PQclear(result) }

    var status: ExecStatusType { PQresultStatus(result) }

    func error(statement: String) -> PostgresError? {
        switch status {
        case PGRES_COMMAND_OK, PGRES_TUPLES_OK, PGRES_EMPTY_QUERY: return nil
        default: break
        }
        guard let code = field("C") else { return .lost(statement: statement, sqlState: nil) }
        let state = SQLState(code)
        if isFatal || state.endsSession { return .lost(statement: statement, sqlState: state) }
        return .server(
            PostgresError.ServerError(
                sqlState: state,
                statement: statement,
                constraint: field("n"),
                table: field("t")
            )
        )
    }

    private var isFatal: Bool { ["FATAL", "PANIC"].contains(field("V")) }

    func rows() -> [Row] {
        let width = PQnfields(result)
        let columns = Row.Columns(
            names: (0..<width).map { String(cString: PQfname(result, $0)) },
            types: (0..<width).map { PQftype(result, $0) })
        return (0..<PQntuples(result)).map { row in
            Row(columns: columns, values: (0..<width).map { value(row, $0) })
        }
    }

    private func value(_ row: Int32, _ column: Int32) -> String? {
        guard PQgetisnull(result, row, column) == 0 else { return nil }
        let bytes = UnsafeBufferPointer(
            start: PQgetvalue(result, row, column), count: Int(PQgetlength(result, row, column)))
        return String(decoding: bytes.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    /// A field of the error report, by its letter in the protocol ("Error and Notice Message Fields").
    private func field(_ letter: Character) -> String? {
        guard let ascii = letter.asciiValue, let text = PQresultErrorField(result, Int32(ascii)) else { return nil }
        return String(cString: text)
    }
}
