import Postgres

/// Keeps the leases of what is in hand, and gives the jobs of dead workers back.
struct LeaseKeeper: Sendable {
    /// A worker counts as gone when nobody held its lock at two looks this far apart: one that lost all its connections at
    /// once is back within that.
    private static let lookInterval: Duration = .milliseconds(300)
    /// Who has no other worker to look after looks out for one.
    private static let lonelyInterval: Duration = .seconds(1)
    private static let certainty: Duration = .milliseconds(600)
    /// After an outage of ours others are still reconnecting, too.
    private static let grace: Duration = .seconds(5)
    private static let retryInterval: Duration = .seconds(1)

    let board: JobBoard
    let queue: JobQueue
    let registry: WorkerRegistry
    let database: Database
    let bell: Bell
    let report: Reporter
    let lease: Duration
    let mediaLife: Duration
    /// Nil: transcripts are kept.
    let transcriptLife: Duration?
    let log: Log

    /// Extends every third of the lease, so that two failures in a row do not lose it. When they are over nothing is sent until
    /// it is known again which jobs are ours.
    func extendLeases() async {
        await board.leasesHold(until: .now + lease)
        while !Task.isCancelled {
            await pause(lease / 3)
            while !Task.isCancelled, await !extended() { await pause(min(lease / 3, Self.retryInterval)) }
        }
    }

    private func extended() async -> Bool {
        let now = ContinuousClock.now
        let held = await board.held
        guard !held.isEmpty else {
            await board.leasesHold(until: now + lease)
            return true
        }
        return await keep { () throws(PostgresError) in
            let gone = try await queue.extend(Array(held.keys), lease: lease, on: database.keep)
            for (_, jobs) in await board.lost(held.filter { gone.contains($0.key) }) { report.lost(jobs) }
            await board.leasesHold(until: now + lease)
        }
    }

    func watchOthers() async {
        var missingSince: [Int64: ContinuousClock.Instant] = [:]
        var isAlone = false
        while !Task.isCancelled {
            await pause(isAlone && !database.health.isLost ? Self.lonelyInterval : Self.lookInterval)
            if database.health.isLost {
                missingSince = [:]
                // Finds out when this role is served again; nothing else may be due for long.
                await keep { () throws(PostgresError) in
                    try await registry.register(holdsLock: !database.health.isPooled, on: database.keep)
                }
                // The claimer does not, while nothing may be claimed.
                await database.claim.check()
                await pause(.milliseconds(500))
                continue
            }
            if database.health.sinceRestored.map({ $0 < Self.grace }) ?? false {
                missingSince = [:]
                continue
            }
            await keep { () throws(PostgresError) in
                let others = try await queue.otherWorkers(on: database.keep)
                isAlone = others.isEmpty
                let gone = others.filter(\.value).keys
                let now = ContinuousClock.now
                missingSince = missingSince.filter { gone.contains($0.key) }
                for worker in gone where missingSince[worker] == nil { missingSince[worker] = now }
                let certain = Set(missingSince.filter { now - $0.value >= Self.certainty }.keys)
                if !certain.isEmpty { try await reclaim(certain) }
            }
        }
    }

    /// The worker's sign of life for people, and the end of old signed URLs, transcripts and rows of the outbox.
    func keepUp() async {
        var upkeep = Upkeep()
        while !Task.isCancelled {
            await keep { () throws(PostgresError) in
                try await registry.register(holdsLock: !database.health.isPooled, on: database.keep)
                while try await registry.expireMedia(olderThan: mediaLife, on: database.keep) {}
            }
            await tidy(&upkeep)
            await pause(.seconds(30))
        }
    }

    /// What is done now and then.
    private struct Upkeep {
        var hasSaidTranscripts = false
        let failure = ToldFailure()
    }

    /// What may wait for a lock, on a connection that no lease waits for. It holds nobody up: what is locked, or cannot be written
    /// now, is for the next time; an outage is told by those whose work it stops.
    private func tidy(_ upkeep: inout Upkeep) async {
        do throws(PostgresError) {
            if !upkeep.hasSaidTranscripts {
                try await registry.keepTranscripts(for: transcriptLife, on: database.scopes)
                upkeep.hasSaidTranscripts = true
            }
            while try await registry.retainTranscripts(on: database.scopes) {}
            while try await registry.pruneOutbox(on: database.scopes) {}
            while try await registry.pruneActivity(on: database.scopes) {}
            upkeep.failure.worked()
        } catch {
            upkeep.failure.tell(
                error, "what is too old (transcripts, outbox, activity) cannot be deleted: it is tried again in 30 s",
                log)
        }
    }

    private func reclaim(_ gone: Set<Int64>) async throws(PostgresError) {
        for (worker, count) in try await queue.reclaim(gone, on: database.keep) where count > 0 {
            log(
                .warning, .leaseReclaimed, "a worker is gone: its jobs are due again",
                [.bootID: .string(String(UInt64(bitPattern: worker), radix: 16)), .n: .integer(count)]
            )
            bell.ring()
        }
    }

    /// False if it did not work.
    @discardableResult
    private func keep(_ work: () async throws(PostgresError) -> Void) async -> Bool {
        do throws(PostgresError) {
            try await work()
            database.health.restored(role: "keep")
            return true
        } catch {
            if case .cancelled = error { return false }
            database.health.lost(error, role: "keep")
            return false
        }
    }

    private func pause(_ duration: Duration) async {
        try? await Task.sleep(for: duration)
    }
}
