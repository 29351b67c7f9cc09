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
            try await store.holding {
                try await walker.run(ListWalk(since: since, until: until, checkpoint: progress.checkpoint)) {
                    entries, checkpoint, isLast in
                    let queued = try await patiently(waits: { report(progress, .database) }) {
                        () throws(PostgresError) in
                        try await store.note(entries, checkpoint: checkpoint, isLast: isLast)
                    }
                    guard let queued else { throw ListWalker.Obstacle.taken }
                    progress.add(entries, queued: queued, checkpoint: checkpoint)
                    report(progress, .nothing)
                } waits: {
                    report(progress, .api)
                }
            }
        }
    }

    /// Compares the whole list, or what changed since, with the tables. Then it ends, without doing any of the jobs. Call
    /// ``prepare()`` first.
    ///
    /// Throws a ``ListWalker/Obstacle``.
    ///
    /// - Parameter repairs: queues what differs.
    package func verify(
        since: UpdateTime?, repairs: Bool, report: @Sendable (WalkProgress, Heartbeat.Limit) -> Void
    ) async throws -> Verification {
        let store = VerifyStore(session: database.keep)
        var found = Verification()
        try await withListWalker { walker in
            let began = try await store.now()
            var progress = WalkProgress.none
            var listed: Set<String> = []
            var doubtful: [EngagementPage.Entry] = []
            var listsPrivate = false
            try await walker.run(ListWalk(since: since, until: nil)) { entries, checkpoint, _ in
                let drift = try await patiently(waits: { report(progress, .database) }) { () throws(PostgresError) in
                    try await store.drift(entries, began: began)
                }
                let ids = Set(drift.map(\.id))
                doubtful += entries.filter { ids.contains($0.id.rawValue) }
                listed.formUnion(entries.map(\.id.rawValue))
                listsPrivate = listsPrivate || entries.contains(where: \.isPrivate)
                progress.add(entries, queued: 0, checkpoint: checkpoint)
                report(progress, .nothing)
            } waits: {
                report(progress, .api)
            }
            (found.pages, found.listed) = (progress.pages, listed.count)
            // What workers have fetched meanwhile does not differ any more. What moved while the list was read is there twice: the last counts.
            let last = Dictionary(doubtful.map { ($0.id, $0) }) { $1 }.values.sorted { $0.id.rawValue < $1.id.rawValue }
            for slice in last.slices(of: 1_000) {
                let drift = try await patiently(waits: { report(progress, .database) }) { () throws(PostgresError) in
                    try await store.drift(slice, began: began)
                }
                found.drift += drift
                let ids = Set(drift.filter { $0.state == nil }.map(\.id))
                let times = slice.filter { ids.contains($0.id.rawValue) }.compactMap(\.updatedAt)
                found.earliest = ([found.earliest].compactMap(\.self) + times).min()
            }
            var end = ""
            while true {
                let slice = try await patiently(waits: { report(progress, .database) }) { () throws(PostgresError) in
                    try await store.stored(after: end, since: since, observedBefore: began)
                }
                guard let next = slice.last?.id else { break }
                end = next
                for one in slice where !listed.contains(one.id) {
                    if one.isPrivate, !listsPrivate {
                        found.unknown.append(one.id)
                    } else {
                        found.drift.append(Drift(id: one.id, cause: .unlisted, storedAt: one.updatedAt))
                    }
                }
            }
            var queued = 0
            for slice in (repairs ? found.drift : []).slices(of: 1_000) {
                queued += try await patiently(waits: { report(progress, .database) }) { () throws(PostgresError) in
                    try await store.queue(slice)
                }
            }
            let result = found
            try await patiently(waits: { report(progress, .database) }) { () throws(PostgresError) in
                try await store.note(result, since: since, began: began, queued: queued)
            }
        }
        return found
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

extension Array {
    fileprivate func slices(of count: Int) -> [[Element]] {
        stride(from: 0, to: self.count, by: count).map { Array(self[$0..<Swift.min($0 + count, self.count)]) }
    }
}
