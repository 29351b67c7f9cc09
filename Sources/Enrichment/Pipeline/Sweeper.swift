import AskElephant
import Postgres

/// Finds now and then what nobody inserted: walks on through the list from where the last sweep ended, then queues for a second look
/// what changed lately. One worker at a time does so.
struct Sweeper: Sendable {
    private static let lookInterval: Duration = .seconds(10)
    private static let recentDays = 14.0
    private static let mostRecent: Int64 = 10_000

    let walker: ListWalker
    let store: WalkStore
    /// Between the end of one sweep and the next.
    let interval: Duration
    let log: Log

    /// Runs until the task is cancelled.
    func run() async {
        while !Task.isCancelled {
            // While the database is away there is nothing to be done.
            let wait = (try? await store.dueIn(interval)) ?? Self.lookInterval
            if wait <= .zero { await sweep() }
            try? await Task.sleep(for: max(Self.lookInterval, min(wait, .seconds(60))))
        }
    }

    private func sweep() async {
        let start = ContinuousClock.now
        do {
            guard var progress = try await store.take(since: nil, until: nil) else { return }
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
            let recent = try await store.queueRecent(days: Self.recentDays, most: Self.mostRecent)
            log(
                .notice, .sweepDone, "the list was walked through",
                [
                    .pages: .integer(progress.pages), .listed: .integer(progress.listed),
                    .queued: .integer(progress.queued + recent),
                    .durationMilliseconds: .integer(Int((ContinuousClock.now - start) / .milliseconds(1))),
                ])
        } catch {
            guard !Task.isCancelled else { return }
            switch error {
            case ListWalker.Obstacle.stopped, ListWalker.Obstacle.taken, ListWalker.Obstacle.credential: return
            default: break
            }
            log(
                .warning, .sweepFailed, "the list was not walked through to its end: it is tried again",
                [.error: .string("\(error)")])
        }
    }
}
