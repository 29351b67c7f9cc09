import Postgres
import SQLText
import Synchronization

/// Names one write, so that it can be looked up whether it was committed after its answer was lost.
package struct WriteNumber: Sendable {
    /// Each connection that writes has a number of its own.
    let writer: Int64
    /// Those of a writer follow one another: Postgres keeps its last write alone, by this number.
    let number: Int64

    /// Waits for the end of the write, should it still be running.
    func isCommitted(_ bootID: Int64, on session: Session) async throws(PostgresError) -> Bool {
        try await session.query(Statements.writeFind, parameters(bootID)).first?.boolean("is_committed") ?? false
    }

    func parameters(_ bootID: Int64) -> [Parameter] { [.bigint(bootID), .bigint(writer), .bigint(number)] }
}

/// The numbers of one writer's writes.
final class WriteNumbers: Sendable {
    private let writer: Int64
    private let count = Atomic<Int64>(0)

    init(writer: Int) { self.writer = Int64(writer) }

    func next() -> WriteNumber {
        WriteNumber(writer: writer, number: count.wrappingAdd(1, ordering: .relaxed).newValue)
    }
}
