/// How long a failed job waits: exponential with full jitter, so that jobs which failed together do not return together.
///
/// With the defaults (base 1 s, cap 10 min) the longest wait after attempt 1, 2, 3, 4, … is 1, 2, 4, 8, … s, 600 s from
/// the eleventh on; each wait is drawn evenly between nothing and that.
package struct Backoff: Sendable {
    package var base: Duration = .seconds(1)
    package var cap: Duration = .seconds(600)

    package init(base: Duration = .seconds(1), cap: Duration = .seconds(600)) {
        self.base = base
        self.cap = cap
    }

    /// The longest wait after the given number of failures, from 1.
    package func ceiling(attempt: Int) -> Duration {
        let doublings = max(0, min(attempt - 1, 40))
        let seconds = (base / .seconds(1)) * Double(1 << doublings)
        // Compared before it is a Duration, which would overflow.
        return seconds < cap / .seconds(1) ? .milliseconds(Int64(seconds * 1000)) : cap
    }

    /// A drawn wait, never under 50 ms.
    package func delay(attempt: Int, using generator: inout some RandomNumberGenerator) -> Duration {
        let ceiling = ceiling(attempt: attempt) / .milliseconds(1)
        return .milliseconds(Int64(max(50, Double.random(in: 0...max(ceiling, 50), using: &generator))))
    }
}
