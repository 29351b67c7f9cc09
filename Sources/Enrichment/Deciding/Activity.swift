import FoundationEssentials

/// How jobs ended since somebody was told last, in the form of the table `activity_minutes`.
package struct Activity: Equatable, Sendable {
    package struct Kind: Hashable, Sendable {
        package var outcome: JobDone.Outcome
        /// Empty where there is none.
        package var cause: String
    }

    package struct Sum: Equatable, Sendable {
        /// Lines `job.done`.
        package var count = 0
        package var requests = 0
        package var waitMilliseconds: Int64 = 0
        /// Fetching and writing.
        package var runMilliseconds: Int64 = 0
        package var slowestMilliseconds: Int64 = 0
        package var slowestEngagementID: String?

        mutating func add(_ other: Sum) {
            count += other.count
            requests += other.requests
            waitMilliseconds += other.waitMilliseconds
            runMilliseconds += other.runMilliseconds
            guard other.slowestMilliseconds > slowestMilliseconds || count == other.count else { return }
            slowestMilliseconds = other.slowestMilliseconds
            slowestEngagementID = other.slowestEngagementID
        }
    }

    package private(set) var sums: [Kind: Sum] = [:]

    package init() {}

    package mutating func add(_ done: JobDone) {
        let run = Self.bounded((done.fetchMilliseconds ?? 0) + (done.writeMilliseconds ?? 0))
        let sum = Sum(
            count: 1, requests: done.requests, waitMilliseconds: Self.bounded(done.waitMilliseconds ?? 0),
            runMilliseconds: run,
            slowestMilliseconds: run, slowestEngagementID: done.outcome == .suppressed ? nil : done.engagementID)
        sums[Kind(outcome: done.outcome, cause: done.cause ?? ""), default: Sum()].add(sum)
    }

    /// People may insert jobs that were due at the birth of Christ; a sum of those would not fit in the end.
    private static func bounded(_ milliseconds: Int64) -> Int64 { min(max(milliseconds, 0), 366 * 86_400_000) }

    /// Of those that could not be told after all.
    package mutating func add(_ other: Activity) {
        for (kind, sum) in other.sums { sums[kind, default: Sum()].add(sum) }
    }

    package func count(of outcome: JobDone.Outcome) -> Int {
        sums.reduce(0) { $0 + ($1.key.outcome == outcome ? $1.value.count : 0) }
    }

    /// How often each cause was why.
    package var causes: [String: Int] {
        sums.reduce(into: [:]) { causes, one in
            if !one.key.cause.isEmpty { causes[one.key.cause, default: 0] += one.value.count }
        }
    }

    /// All together.
    package var whole: Sum { sums.values.reduce(into: Sum()) { $0.add($1) } }

    /// What was there, which is here no more.
    mutating func take() -> Activity {
        defer { sums = [:] }
        return self
    }

    /// As the array of rows that `note_heartbeat` takes.
    package var json: String {
        let rows = sums.map { Row(kind: $0, sum: $1) }
        return (try? JSONEncoder().encode(rows)).map { String(decoding: $0, as: UTF8.self) } ?? "[]"
    }

    private struct Row: Encodable {
        var kind: Kind
        var sum: Sum

        private enum Column: String, CodingKey {
            case outcome, cause, n, requests
            case wait = "wait_ms"
            case run = "run_ms"
            case slowest = "slowest_ms"
            case slowestID = "slowest_engagement_id"
        }

        func encode(to encoder: any Encoder) throws {
            var row = encoder.container(keyedBy: Column.self)
            try row.encode(kind.outcome.rawValue, forKey: .outcome)
            try row.encode(kind.cause, forKey: .cause)
            try row.encode(sum.count, forKey: .n)
            try row.encode(sum.requests, forKey: .requests)
            try row.encode(sum.waitMilliseconds, forKey: .wait)
            try row.encode(sum.runMilliseconds, forKey: .run)
            try row.encode(sum.slowestMilliseconds, forKey: .slowest)
            try row.encode(sum.slowestEngagementID, forKey: .slowestID)
        }
    }
}
