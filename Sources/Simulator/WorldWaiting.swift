import Synchronization

/// Waiting for the world to be in some state, without looking again and again.
extension World {
    struct Waiter: Sendable {
        let isSatisfied: @Sendable (State) -> Bool
        let continuation: CheckedContinuation<Void, any Error>
    }

    /// Returns once the `count`-th request for the id has arrived; it need not be answered.
    ///
    /// - Throws: `CancellationError`.
    package func waitForRequest(_ id: String, count: Int = 1) async throws {
        try await wait { $0.journal.count(id) >= count }
    }

    /// Returns once this many requests of any kind have arrived.
    package func waitForRequests(total: Int) async throws {
        try await wait { $0.journal.total >= total }
    }

    /// Holds an answer back as long as a test wants it to.
    func waitUntilReleased(_ id: String) async throws {
        guard state.withLock({ $0.held.contains(id) }) else { return }
        try await wait { !$0.held.contains(id) }
    }

    /// Changes the state and wakes whoever waited for that.
    func change<Result: Sendable>(_ body: (inout sending State) -> sending Result) -> Result {
        let (result, satisfied) = state.withLock { state in
            let result = body(&state)
            let keys = state.waiters.filter { $0.value.isSatisfied(state) }.keys
            return (result, keys.compactMap { state.waiters.removeValue(forKey: $0) })
        }
        for waiter in satisfied { waiter.continuation.resume() }
        return result
    }

    private func wait(until isSatisfied: @escaping @Sendable (State) -> Bool) async throws {
        let key = state.withLock { state in
            state.nextWaiter += 1
            return state.nextWaiter
        }
        try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                register(Waiter(isSatisfied: isSatisfied, continuation: continuation), key)
            }
        } onCancel: {
            let waiter = state.withLock { $0.waiters.removeValue(forKey: key) }
            waiter?.continuation.resume(throwing: CancellationError())
        }
    }

    /// A cancellation that came before this found no waiter to wake, hence the look under the same lock.
    private func register(_ waiter: Waiter, _ key: Int) {
        let (isCancelled, isSatisfied) = state.withLock { state in
            let isCancelled = Task.isCancelled
            let isSatisfied = waiter.isSatisfied(state)
            if !isCancelled && !isSatisfied { state.waiters[key] = waiter }
            return (isCancelled, isSatisfied)
        }
        if isCancelled {
            waiter.continuation.resume(throwing: CancellationError())
        } else if isSatisfied {
            waiter.continuation.resume()
        }
    }
}
