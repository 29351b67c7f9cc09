import Synchronization

/// Whether the API as a whole answers: a failure while nothing succeeds is not a job's own.
package final class APIHealth: Sendable {
    /// "Any request succeeded in the last 10 s" is what makes a failure the job's own.
    private static let window: Duration = .seconds(10)

    private let lastSuccess = Mutex<ContinuousClock.Instant?>(nil)

    package init() {}

    /// An answer that shows the API at work; a 4xx does, too.
    package func succeeded() { lastSuccess.withLock { $0 = .now } }

    package var isAlive: Bool {
        lastSuccess.withLock { last in last.map { .now - $0 < Self.window } ?? false }
    }
}
