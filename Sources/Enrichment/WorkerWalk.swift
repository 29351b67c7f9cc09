package import AskElephant
import Postgres

/// What a worker does with the API's list, beside its jobs or instead of them.
extension Worker {
    /// Walks through the list once, or to the end of a walk that was broken off, and queues what the tables do not hold. Then it
    /// ends, without doing any of the jobs. Call ``prepare()`` first.
    ///
    /// Throws a ``ListWalker/Obstacle``.
    package func backfill(
        since: UpdateTime?, until: UpdateTime?, report: @Sendable (WalkProgress, Heartbeat.Limit) -> Void
    ) async throws {
        let store = WalkStore(bootID: bootID, name: "backfill", session: database.keep)
        try await withListWalker { walker in
            guard var progress = try await store.take(since: since, until: until) else {
                throw ListWalker.Obstacle.taken
            }
            do {
                try await walker.run(ListWalk(since: since, until: until, checkpoint: progress.checkpoint)) {
                    page, checkpoint, isLast in
                    let queued = try await patiently(waits: { report(progress, .database) }) {
                        () throws(PostgresError) in
                        try await store.note(page, checkpoint: checkpoint, isLast: isLast)
                    }
                    guard let queued else { throw ListWalker.Obstacle.taken }
                    progress.add(page, queued: queued, checkpoint: checkpoint)
                    report(progress, .nothing)
                } waits: {
                    report(progress, .api)
                }
            } catch {
                await store.leave()
                throw error
            }
        }
    }

    /// Gives a walker to the work and ends the worker afterwards.
    private func withListWalker(_ work: (ListWalker) async throws -> Void) async throws {
        let client = Client(configuration.client)
        let health = apiHealth(client)
        let credentials = credentialKeeper(client, health, isOneShot: true)
        await credentials.open()
        let pacing = Task { [governor] in await governor.run() }
        let result: Result<Void, any Error>
        do {
            result = .success(
                try await work(
                    ListWalker(board: board, client: client, credentials: credentials, health: health, budget: budget)))
        } catch {
            result = .failure(error)
        }
        await board.stop()
        await pacing.value
        await client.shutdown()
        await credentials.close()
        try? await registry.leave(on: database.keep)
        await database.close()
        try result.get()
    }

    /// The database may be away for a while; what was carried out all the same does no harm if it is done again.
    private func patiently<Value>(
        waits: () -> Void, _ work: () async throws(PostgresError) -> Value
    ) async throws -> Value {
        while true {
            do throws(PostgresError) { return try await work() } catch {
                guard error.isOutage || error.sqlState?.isRetriedAtOnce == true else { throw error }
            }
            waits()
            try await Task.sleep(for: .seconds(1))
        }
    }
}
