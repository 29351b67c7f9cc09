import CLibPQ

/// What the server says beside an answer, such as a `RAISE WARNING` of somebody's trigger: that it did and its code, and never its
/// text, which may quote values.
package struct Notice: Sendable, Hashable {
    package enum Severity: String, Sendable {
        case warning = "WARNING"
        case notice = "NOTICE"
        case info = "INFO"
        case log = "LOG"
        case debug = "DEBUG"
    }

    package let severity: Severity
    package let sqlState: SQLState
    /// Nil for what is said while connecting.
    package let statement: String?

    package init(severity: Severity, sqlState: SQLState, statement: String?) {
        self.severity = severity
        self.sqlState = sqlState
        self.statement = statement
    }
}

/// The notices that came and were not asked for yet: each kind once, a few kinds at most, since a trigger may say something for each
/// row.
struct NoticeBox {
    private static let most = 16

    private var kinds: [(severity: Notice.Severity, sqlState: SQLState)] = []

    mutating func add(_ result: OpaquePointer) {
        guard
            let severity = Self.field("V", of: result).flatMap(Notice.Severity.init),
            // libpq's own words have none.
            let code = Self.field("C", of: result)
        else { return }
        let kind = (severity: severity, sqlState: SQLState(code))
        guard kinds.count < Self.most, !kinds.contains(where: { $0 == kind }) else { return }
        kinds.append(kind)
    }

    mutating func take(_ statement: String?) -> [Notice] {
        guard !kinds.isEmpty else { return [] }
        defer { kinds = [] }
        return kinds.map { Notice(severity: $0.severity, sqlState: $0.sqlState, statement: statement) }
    }

    /// As the protocol names it ("Error and Notice Message Fields"); the severity is the one that is not translated.
    private static func field(_ letter: Character, of result: OpaquePointer) -> String? {
        letter.asciiValue.flatMap { PQresultErrorField(result, Int32($0)) }.map { String(cString: $0) }
    }
}
