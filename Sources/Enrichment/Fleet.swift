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
        /// Those that are not prepared yet, by their numbers.
        var preparing: [Int: Task<Void, any Error>] = [:]
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
    package func connect() async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            for worker in workers { group.addTask { try await worker.connect() } }
            try await group.waitForAll()
        }
    }

    /// What the process does on the way.
    package struct Steps: Sendable {
        /// Before each worker prepares, by its number from 0.
        package var before: @Sendable (Int) async throws -> Void = { _ in }
        /// When the first one is prepared; before that none has anything in hand.
        package var ready: @Sendable () async throws -> Void = {}
        /// When one has ended, which may be long before the others.
        package var ended: @Sendable (Int, Worker.Ended) -> Void = { _, _ in }

        package init() {}
    }

    /// Each worker prepares, which may take as long as its schema is locked or a right is missing, and works until ``stop()``, or with
    /// `once` until nothing is due.
    ///
    /// - Returns: how those ended that were prepared.
    /// - Throws: the ``SchemaError`` of one whose schema does not fit, once the others have stopped.
    package func run(once: Bool, _ steps: Steps) async throws -> [Worker.Ended] {
        let listening = Task { [ears, rings] in
            guard let ears else { return }
            try? await ears.findPooler()
            await Doorbell(database: ears, rings: rings).run()
            await ears.close()
        }
        let ended = await withTaskGroup(of: Worker.Ended?.self) { group in
            for number in workers.indices { group.addTask { await self.run(number, once: once, steps) } }
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
        for (number, task) in preparing {
            task.cancel()
            // One that waits for the database waits by its connections.
            Task { [workers] in await workers[number].database.close() }
        }
        for worker in workers { worker.stop() }
    }

    /// Each reads its credential again and tries the parts that it may not read.
    package func recheck() {
        for worker in workers { worker.recheck() }
    }

    private func run(_ number: Int, once: Bool, _ steps: Steps) async -> Worker.Ended? {
        let worker = workers[number]
        let preparing = Task {
            try await steps.before(number)
            try await worker.prepare()
        }
        let isStopping = state.withLock { state in
            state.preparing[number] = preparing
            return state.isStopping
        }
        if isStopping { stop() }
        do {
            try await preparing.value
            let isFirst = state.withLock { state in
                state.preparing[number] = nil
                defer { state.isReady = true }
                return !state.isReady
            }
            if isFirst { try await steps.ready() }
        } catch {
            guard !preparing.isCancelled else { return nil }
            state.withLock { $0.failure = $0.failure ?? error }
            stop()
            return nil
        }
        let ended = await worker.run(once: once)
        steps.ended(number, ended)
        return ended
    }
}
