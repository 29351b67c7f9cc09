import Synchronization

/// How a worker is, as its last heartbeat said, and what it has done: for those who ask the process.
package final class Vitals: Sendable {
    /// At one moment.
    package struct Reading: Sendable {
        /// Nil where a process works for one workspace only.
        package var workspace: String?
        /// Nil before the first.
        package var beat: Heartbeat?
        /// Since the last heartbeat.
        package var age: Duration
        /// Since the worker started.
        package var activity: Activity
        /// It waits no more for what it needs to start.
        package var hasBegun: Bool
        /// The worker has come to its end, as one of several of a process may.
        package var hasEnded: Bool

        package init(
            workspace: String?, beat: Heartbeat?, age: Duration, activity: Activity, hasBegun: Bool = true,
            hasEnded: Bool = false
        ) {
            self.workspace = workspace
            self.beat = beat
            self.age = age
            self.activity = activity
            self.hasBegun = hasBegun
            self.hasEnded = hasEnded
        }

        /// Heartbeats come each 10 s, also while the database hangs; one that does not come any more tells of a loop that
        /// does not move.
        package var isAlive: Bool { hasEnded || age < .seconds(60) }
    }

    private let begun = Mutex(false)
    private let ended = Mutex(false)
    private let last = Mutex<(beat: Heartbeat, at: ContinuousClock.Instant)?>(nil)

    /// The last heartbeat and its age; nil before the first.
    package var current: (beat: Heartbeat, age: Duration)? {
        last.withLock { last in last.map { ($0.beat, .now - $0.at) } }
    }

    var hasBegun: Bool { begun.withLock(\.self) }

    func begin() { begun.withLock { $0 = true } }

    var hasEnded: Bool { ended.withLock(\.self) }

    func end() { ended.withLock { $0 = true } }

    func note(_ beat: Heartbeat) { last.withLock { $0 = (beat, .now) } }
}
