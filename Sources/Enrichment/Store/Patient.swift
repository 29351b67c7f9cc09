import Postgres
import Synchronization

/// A session that is not waited for without end: while the database is away there are other things to do.
///
/// A statement that was given up may still run; all of these may.
final class Patient: Sendable {
    private static let patience: Duration = .seconds(5)

    private struct Calls {
        var count = 0
        var running: Set<Int> = []
        /// Nobody waits for these any more; no others are lined up behind them.
        var abandoned: Set<Int> = []
    }

    private let session: Session
    private let calls = Mutex(Calls())

    init(_ session: Session) { self.session = session }

    func query(_ statement: Statement, _ parameters: [Parameter]) async throws(PostgresError) -> [Row] {
        guard let call = begin() else { throw .deadline(statement: statement.name) }
        let (results, result) = AsyncStream<Result<[Row], PostgresError>>.makeStream()
        Task { [session] in
            do throws(PostgresError) {
                result.yield(.success(try await session.query(statement, parameters)))
            } catch {
                result.yield(.failure(error))
            }
            end(call)
        }
        let alarm = Task {
            try await Task.sleep(for: Self.patience)
            abandon(call)
            result.yield(.failure(.deadline(statement: statement.name)))
        }
        defer { alarm.cancel() }
        for await first in results { return try first.get() }
        throw .cancelled
    }

    private func begin() -> Int? {
        calls.withLock { calls in
            guard calls.abandoned.isEmpty else { return nil }
            calls.count += 1
            calls.running.insert(calls.count)
            return calls.count
        }
    }

    private func end(_ call: Int) {
        calls.withLock { calls in
            calls.running.remove(call)
            calls.abandoned.remove(call)
        }
    }

    private func abandon(_ call: Int) {
        calls.withLock { calls in
            if calls.running.contains(call) { calls.abandoned.insert(call) }
        }
    }
}
