package import Postgres

/// A session of somebody else's that keeps a transaction open: an old snapshot, a lock.
package struct HeldSession: Sendable {
    private let connection: Connection

    /// Begins a transaction at isolation level repeatable read and runs the statements in it; vacuum removes nothing that
    /// the first of them could still see, and what they lock stays locked.
    package init(_ connection: Connection, _ statements: String) async throws {
        self.connection = connection
        try await connection.run(
            script: "SET idle_in_transaction_session_timeout = 0; SET lock_timeout = '5s';"
                + "BEGIN ISOLATION LEVEL REPEATABLE READ; \(statements)", name: "held")
    }

    /// An old snapshot and nothing else.
    package static func snapshot(_ connection: Connection) async throws -> HeldSession {
        try await HeldSession(connection, "SELECT count(*) FROM engagements")
    }

    /// Rolls back.
    package func release() async { await connection.close() }
}
