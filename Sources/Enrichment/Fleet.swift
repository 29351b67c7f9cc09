package import AskElephant
package import Postgres
import Synchronization

/// Several workers in one process, one a workspace: each with a schema, a credential, limits, memory and connections of its own, so that
/// none waits for another. Only the bells are heard over one connection for all.
///
/// One alone is a worker like any other.
package final class Fleet: Sendable {
    package let workers: [Worker]
    private let rings = Rings()
    /// What listens for all; nil for one, which does so itself.
    private let ears: Database?
    private let state = Mutex(State())

    private struct State {
        var preparing: [Task<Void, any Error>] = []
        var isReady = false
        var isStopping = false
        /// The first that went wrong: it ends all.
        var failure: (any Error)?
    }

    /// - Parameter members: all on the same database.
    package init(_ members: [(configuration: Worker.Configuration, credentials: CredentialSource)], log: Log) {
        let shared = members.count > 1 ? rings : nil
        workers = members.map { Worker($0.configuration, credentials: $0.credentials, log: log, rings: shared) }
        // What befalls it is said by each worker that it concerns.
        ears = shared.map { _ in
            Database(members[0].configuration.database, bootID: .random(in: .min ... .max), log: .none)
        }
    }

    /// Reaches the database; waits for it. Throws only a ``PostgresError`` that no waiting cures.
    package func connect() async throws(PostgresError) {
        for worker in workers { try await worker.connect() }
    }

    /// Each worker prepares, which may take as long as its schema is locked or a right is missing, and works until ``stop()``, or with
    /// `once` until nothing is due.
    ///
    /// - Parameter ready: called when the first one is prepared; before that none has anything in hand.
    /// - Returns: how those ended that were prepared.
    /// - Throws: the ``SchemaError`` of one whose schema does not fit, once the others have stopped.
    package func run(once: Bool, ready: @Sendable @escaping () async throws -> Void) async throws -> [Worker.Ended] {
        let listening = Task { [ears, rings] in
            guard let ears else { return }
            try? await ears.findPooler()
            await Doorbell(database: ears, rings: rings).run()
            await ears.close()
        }
        let ended = await withTaskGroup(of: Worker.Ended?.self) { group in
            for worker in workers { group.addTask { await self.run(worker, once: once, ready: ready) } }
            return await group.reduce(into: []) { ended, one in ended += one.map { [$0] } ?? [] }
        }
        listening.cancel()
        if let failure = state.withLock(\.failure) { throw failure }
        return ended
    }

    /// Each claims nothing more, ends what it has in hand within the drain timeout, gives the rest back. Returns at once.
    package func stop() {
        let preparing = state.withLock { state in
            state.isStopping = true
            return state.preparing
        }
        for task in preparing { task.cancel() }
        for worker in workers { worker.stop() }
    }

    /// Each reads its credential again and tries the parts that it may not read.
    package func recheck() {
        for worker in workers { worker.recheck() }
    }

    private func run(
        _ worker: Worker, once: Bool, ready: @Sendable () async throws -> Void
    ) async -> Worker.Ended? {
        let preparing = Task { try await worker.prepare() }
        let isStopping = state.withLock { state in
            state.preparing.append(preparing)
            return state.isStopping
        }
        if isStopping { preparing.cancel() }
        do {
            try await preparing.value
            let isFirst = state.withLock { state in
                defer { state.isReady = true }
                return !state.isReady
            }
            if isFirst { try await ready() }
        } catch {
            guard !preparing.isCancelled else { return nil }
            state.withLock { $0.failure = $0.failure ?? error }
            stop()
            return nil
        }
        return await worker.run(once: once)
    }
}
