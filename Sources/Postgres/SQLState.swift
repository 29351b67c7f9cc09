/// A five-character code of PostgreSQL's appendix "Error Codes". Decisions are made on codes, never on message text.
package struct SQLState: Sendable, Hashable {
    package let code: String

    package init(_ code: String) { self.code = code }

    package func isClass(_ prefix: StaticString) -> Bool { code.hasPrefix(String(describing: prefix)) }

    package static let unknownDatabase = SQLState("3D000")
    package static let insufficientPrivilege = SQLState("42501")
    package static let undefinedTable = SQLState("42P01")
    package static let undefinedFunction = SQLState("42883")
    package static let invalidSchemaName = SQLState("3F000")
    package static let lockNotAvailable = SQLState("55P03")
    package static let queryCancelled = SQLState("57014")
    package static let tooManyConnections = SQLState("53300")
    package static let cannotConnectNow = SQLState("57P03")
    /// A named statement that is not there, or is there already: the session is not the one that it was.
    static let unknownStatement = SQLState("26000")
    static let duplicateStatement = SQLState("42P05")
    package static let readOnlyTransaction = SQLState("25006")

    /// A deadlock or a serialization failure: the same transaction may simply run again.
    package var isRetriedAtOnce: Bool { code == "40P01" || code == "40001" }

    /// The server ended the session or is not taking any: admin shutdown, crash, starting up. Class 08 in a statement is another
    /// connection's: that of a trigger to a foreign server, for example.
    var endsSession: Bool { isClass("57P") }

    /// The database as a whole cannot write now: full disk, out of memory or connections, read-only, a missing right, a
    /// lock on a whole table. Not the fault of any row.
    package var isServerTrouble: Bool {
        isClass("53") || isClass("58") || isClass("XX") || endsSession
            || [.readOnlyTransaction, .insufficientPrivilege, .queryCancelled, .undefinedTable, .undefinedFunction]
                .contains(self)
    }
}
