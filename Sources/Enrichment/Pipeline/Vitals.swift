import Synchronization

/// How a worker is, as its last heartbeat said: for those who ask the process.
package final class Vitals: Sendable {
    private let last = Mutex<(beat: Heartbeat, at: ContinuousClock.Instant)?>(nil)

    /// The last heartbeat and its age; nil before the first.
    package var current: (beat: Heartbeat, age: Duration)? {
        last.withLock { last in last.map { ($0.beat, .now - $0.at) } }
    }

    func note(_ beat: Heartbeat) { last.withLock { $0 = (beat, .now) } }
}
