import AskElephant

/// A question that is asked once for all who want to know what holds since some time of their own.
actor SharedQuestion<Value: Sendable> {
    /// What was found, and when it was really asked: before, the question may have waited for its turn, for seconds.
    struct Answer: Sendable {
        var asked: ContinuousClock.Instant
        var value: Value
    }

    /// How many want to know now.
    private(set) var waiting = 0
    private var asking: Task<Answer, Never>?

    nonisolated var unownedExecutor: UnownedSerialExecutor { ClientThread.actors }

    /// What holds after that time: as it was found by whoever asks already, unless that was asked before.
    func value(after time: ContinuousClock.Instant, ask: @escaping @Sendable () async -> Answer) async -> Value {
        waiting += 1
        defer { waiting -= 1 }
        while true {
            let task = asking ?? Task { await ask() }
            asking = task
            let answer = await task.valueOrCancel
            // Whoever comes now asks anew.
            if asking == task { asking = nil }
            if answer.asked > time || Task.isCancelled { return answer.value }
        }
    }
}

extension Task where Failure == Never {
    /// Its value. Whoever waits and is cancelled cancels it, for all who wait: that is when the worker gives up.
    fileprivate var valueOrCancel: Success {
        get async {
            await withTaskCancellationHandler {
                await value
            } onCancel: {
                cancel()
            }
        }
    }
}
