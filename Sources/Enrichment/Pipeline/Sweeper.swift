import AskElephant
import Postgres

/// Finds now and then what nobody inserted: queues for a second look what changed lately, and walks on through the list
/// from where the last sweep ended. One worker at a time does so.
struct Sweeper: Sendable {
    private static let lookInterval: Duration = .seconds(10)
    /// After one that failed.
    private static let patience: Duration = .seconds(600)
    private static let recentDays = 14.0
    private static let mostRecent: Int64 = 10_000

    let walker: ListWalker
    let store: WalkStore
    /// Between the end of one sweep and the next.
    let interval: Duration
    let log: Log

    /// Runs until the task is cancelled.
    func run() async {
        var failure: String?
        while !Task.isCancelled {
            // While the database is away there is nothing to be done.
            let wait = (try? await store.dueIn(interval)) ?? Self.lookInterval
            var pause = max(Self.lookInterval, min(wait, .seconds(60)))
            if wait <= .zero {
                let before = failure
                failure = await sweep()
                if let failure {
                    pause = Self.patience
                    if failure != before { tell(failure) }
                }
            }
            try? await Task.sleep(for: pause)
        }
    }

    private func tell(_ failure: String) {
        log(
            .warning, .sweepFailed, "the list was not walked through to its end: it is tried again",
            [.error: .string(failure)])
    }

    /// Why it did not come to its end; nil if it did, or if that is nothing to tell.
    private func sweep() async -> String? {
        let start = ContinuousClock.now
        do {
            guard var progress = try await store.take(since: nil, until: nil) else { return nil }
            let recent = try await store.queueRecent(days: Self.recentDays, most: Self.mostRecent)
            try await store.holding {
                try await walker.run(ListWalk(since: nil, until: nil, checkpoint: progress.checkpoint)) {
                    entries, checkpoint, isLast in
                    guard let queued = try await store.note(entries, checkpoint: checkpoint, isLast: isLast) else {
                        throw ListWalker.Obstacle.taken
                    }
                    progress.add(entries, queued: queued, checkpoint: checkpoint)
                } waits: {
                }
            }
            log(
                .notice, .sweepDone, "the list was walked through",
                [
                    .pages: .integer(progress.pages), .listed: .integer(progress.listed),
                    .queued: .integer(progress.queued + recent),
                    .durationMilliseconds: .integer(Int((ContinuousClock.now - start) / .milliseconds(1))),
                ])
            return nil
        } catch {
            switch error {
            case _ where Task.isCancelled: return nil
            // The credential's own matter, and told there; so is the database.
            case ListWalker.Obstacle.stopped, ListWalker.Obstacle.taken, ListWalker.Obstacle.credential: return nil
            case let error as PostgresError where error.isOutage: return nil
            default: return "\(error)"
            }
        }
    }
}
