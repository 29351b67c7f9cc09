import Postgres
import Synchronization

/// Tells of upkeep that does not work once for each reason, and again after it has worked. An outage is told by those whose work it stops,
/// and what is locked, or cannot be written now, is for the next time.
final class ToldFailure: Sendable {
    private let last = Mutex<SQLState?>(nil)

    func tell(_ error: PostgresError, _ message: StaticString, _ log: Log) {
        guard let state = error.sqlState, !error.isConnectionLoss, !state.isRetriedAtOnce,
            ![.lockNotAvailable, .queryCancelled, .readOnlyTransaction].contains(state)
        else { return }
        let isNew = last.withLock { last in
            defer { last = state }
            return last != state
        }
        guard isNew else { return }
        var fields = error.fields
        fields.fill(from: [.hint: LogValue(error.outageHint)])
        log(.warning, .upkeepFailed, message, fields)
    }

    func worked() { last.withLock { $0 = nil } }
}
