import AskElephant

/// A question that is asked once for all who want to know at the same time; whom its answer is of no use to asks anew.
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

    /// What was found by whoever asks already, unless that is of no use here: then it is asked anew.
    ///
    /// - Parameter isOfUse: by when it was asked; an answer to what is asked from now on is of use.
    func value(ask: @escaping @Sendable () async -> Answer, isOfUse: (Answer) -> Bool) async -> Value {
        waiting += 1
        defer { waiting -= 1 }
        while true {
            let task = asking ?? Task { await ask() }
            asking = task
            let answer = await task.valueOrCancel
            // Whoever comes now asks anew.
            if asking == task { asking = nil }
            if isOfUse(answer) || Task.isCancelled { return answer.value }
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
