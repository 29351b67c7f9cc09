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
        var told: String?
        while !Task.isCancelled {
            var pause = Self.lookInterval
            do {
                let wait = try await store.dueIn(interval)
                if wait <= .zero { try await sweep() } else { pause = max(pause, min(wait, .seconds(60))) }
                told = nil
            } catch {
                if let failure = Failure(error), !Task.isCancelled {
                    pause = Self.patience
                    if failure.text != told { tell(failure) }
                    told = failure.text
                }
            }
            try? await Task.sleep(for: pause)
        }
    }

    /// What is not told elsewhere, in words.
    private struct Failure {
        var text: String
        var hint: String?

        init?(_ error: any Error) {
            switch error {
            // The credential's and the connection's own matters, told there.
            case ListWalker.Obstacle.stopped, ListWalker.Obstacle.taken, ListWalker.Obstacle.credential: return nil
            case let error as PostgresError where error.isConnectionLoss: return nil
            case let obstacle as ListWalker.Obstacle: (text, hint) = (obstacle.text, obstacle.hint)
            case let error as PostgresError: (text, hint) = (error.description, error.outageHint)
            default: text = "\(error)"
            }
        }
    }

    private func tell(_ failure: Failure) {
        log(
            .warning, .sweepFailed, "the list was not walked through to its end: it is tried again in ten minutes",
            [.error: .string(failure.text), .hint: LogValue(failure.hint)])
    }

    private func sweep() async throws {
        let start = ContinuousClock.now
        guard var progress = try await store.take(since: nil, until: nil) else { return }
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
    }
}
