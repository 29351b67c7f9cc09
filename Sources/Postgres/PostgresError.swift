/// What can go wrong between us and PostgreSQL.
///
/// A description names SQLSTATE, constraint, table and statement, and nothing else: the server's message, detail and
/// context quote the values, which may be a customer's transcript.
package enum PostgresError: Error, Sendable {
    /// No connection could be made. `sqlState` when the server itself refused.
    case connect(sqlState: SQLState?)
    /// The connection broke; whether a statement in flight took effect is not known.
    case lost(statement: String?, sqlState: SQLState?)
    /// No answer came in time. The connection has been thrown away, as for `lost`.
    case deadline(statement: String?)
    /// The server refused the statement; the connection is fine.
    case server(ServerError)
    /// A result lacks a column or holds a value of another type: our SQL and our code differ.
    case unexpectedResult(column: String)
    /// The task was cancelled, or the session was closed.
    case cancelled

    package struct ServerError: Sendable {
        package let sqlState: SQLState
        package let statement: String?
        package let constraint: String?
        package let table: String?
    }

    package var sqlState: SQLState? {
        switch self {
        case .connect(let state), .lost(_, let state): state
        case .server(let error): error.sqlState
        case .deadline, .unexpectedResult, .cancelled: nil
        }
    }

    /// True when the connection is gone, so that the same call may be made again on a new one.
    package var isConnectionLoss: Bool {
        switch self {
        case .connect, .lost, .deadline: true
        case .server, .unexpectedResult, .cancelled: false
        }
    }

    /// True when a pooler gives us other sessions than the one that we prepared our statements on.
    package var isForeignSession: Bool { sqlState == .unknownStatement || sqlState == .duplicateStatement }

    /// True when waiting cannot help: a wrong password, an unknown role or database (exit code 78).
    package var isConfiguration: Bool {
        guard case .connect(let state?) = self else { return false }
        return state.isClass("28") || state == .unknownDatabase
    }
}

extension PostgresError: CustomStringConvertible {
    package var description: String {
        switch self {
        case .connect(let state): "cannot connect" + suffix(state?.code)
        case .lost(let statement, let state): "connection lost" + suffix(statement, state?.code)
        case .deadline(let statement): "no answer in time" + suffix(statement)
        case .server(let error):
            "SQLSTATE \(error.sqlState.code)" + suffix(error.statement, error.table, error.constraint)
        case .unexpectedResult(let column): "unexpected result (\(column))"
        case .cancelled: "cancelled"
        }
    }

    private func suffix(_ parts: String?...) -> String {
        let known = parts.compactMap(\.self)
        return known.isEmpty ? "" : " (" + known.joined(separator: ", ") + ")"
    }
}
