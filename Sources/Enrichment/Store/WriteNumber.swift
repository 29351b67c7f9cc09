import Postgres
import SQLText

/// Names one write, so that it can be looked up whether it was committed after its answer was lost.
package struct WriteNumber: Sendable {
    /// Each connection that writes has a number of its own.
    let writer: Int64
    let number = Int64.random(in: .min ... .max)

    /// Waits for the end of the write, should it still be running.
    func isCommitted(_ bootID: Int64, on session: Session) async throws(PostgresError) -> Bool {
        let parameters: [Parameter] = [.bigint(bootID), .bigint(writer), .bigint(number)]
        return try await session.query(Statements.writeFind, parameters).first?.boolean("is_committed") ?? false
    }
}
