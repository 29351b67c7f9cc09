import Synchronization

/// What wakes a sleeping claimer: a notification, jobs given back by a dead worker, or the end of the wait.
package final class Bell: Sendable {
    private struct State {
        var isRung = false
        var sleeper: CheckedContinuation<Void, Never>?
        var wait = 0
    }

    private let state = Mutex(State())

    package init() {}

    /// Wakes the sleeper, or the next one at once.
    package func ring() {
        state.withLock { $0.isRung = true }
        wake(onlyWait: nil)
    }

    /// Sleeps until the bell rings or the time is over; true if it rang. One sleeper at a time.
    package func wait(for duration: Duration) async -> Bool {
        let number = state.withLock { state in
            state.wait += 1
            return state.wait
        }
        let alarm = Task {
            do { try await Task.sleep(for: duration) } catch { return }
            self.wake(onlyWait: number)
        }
        defer { alarm.cancel() }
        await withCheckedContinuation { continuation in
            let isRung = state.withLock { state in
                if state.isRung { return true }
                state.sleeper = continuation
                return false
            }
            if isRung { continuation.resume() }
        }
        return state.withLock { state in
            defer { state.isRung = false }
            return state.isRung
        }
    }

    /// Resumes the sleeper; an alarm only the one that it was set for.
    private func wake(onlyWait number: Int?) {
        let sleeper = state.withLock { state in
            if let number, state.wait != number { return nil as CheckedContinuation<Void, Never>? }
            defer { state.sleeper = nil }
            return state.sleeper
        }
        sleeper?.resume()
    }
}
