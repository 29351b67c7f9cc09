import Synchronization

/// What wakes a sleeping claimer: a notification, jobs given back by a dead worker, or the end of the wait.
package final class Bell: Sendable {
    private struct State {
        var isRung = false
        var sleeper: CheckedContinuation<Void, Never>?
        /// The number of the present wait, and of the last one whose time was over.
        var wait = 0
        var expired = 0
    }

    private let state = Mutex(State())

    package init() {}

    /// Wakes the sleeper, or the next one at once.
    package func ring() {
        wake { $0.isRung = true }
    }

    /// Sleeps until the bell rings or the time is over; true if it rang. One sleeper at a time.
    package func wait(for duration: Duration) async -> Bool {
        let number = state.withLock { state in
            state.wait += 1
            return state.wait
        }
        let alarm = Task {
            do { try await Task.sleep(for: duration) } catch { return }
            wake { $0.expired = max($0.expired, number) }
        }
        defer { alarm.cancel() }
        await withCheckedContinuation { continuation in
            state.withLock { $0.sleeper = continuation }
            wake { _ in }
        }
        return state.withLock { state in
            defer { state.isRung = false }
            return state.isRung
        }
    }

    /// Changes the state and resumes the sleeper if the bell rang or its own time is over.
    private func wake(_ change: (inout sending State) -> Void) {
        let sleeper = state.withLock { state -> CheckedContinuation<Void, Never>? in
            change(&state)
            guard state.isRung || state.expired == state.wait else { return nil }
            defer { state.sleeper = nil }
            return state.sleeper
        }
        sleeper?.resume()
    }
}
