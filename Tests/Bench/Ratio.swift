/// What is compared: two figures of the same round.
struct Ratio: Sendable {
    let name: String
    let goal: Double
    /// The goal is an upper bound.
    let isUpper: Bool
    let value: @Sendable (Report) -> Double

    private init(_ name: String, atLeast goal: Double, _ value: @escaping @Sendable (Report) -> Double) {
        (self.name, self.goal, isUpper, self.value) = (name, goal, false, value)
    }

    private init(_ name: String, atMost goal: Double, _ value: @escaping @Sendable (Report) -> Double) {
        (self.name, self.goal, isUpper, self.value) = (name, goal, true, value)
    }

    func isMet(_ value: Double) -> Bool { isUpper ? value <= goal : value >= goal }

    static let all: [Ratio] =
        [8, 40].flatMap(ofSize) + [
            Ratio("8 KB end to end / one transaction a document", atLeast: 5) {
                $0["8 KB end-to-end /s"] / $0["8 KB single /s"]
            },
            Ratio("50 ms, 64 in flight: rate / possible", atLeast: 0.97) {
                $0["8 KB slow 64 /s"] / (64 / $0["slow latency s"])
            },
            Ratio("50 ms, 256 in flight: rate / without latency", atLeast: 0.92) {
                $0["8 KB slow 256 /s"] / $0["8 KB end-to-end /s"]
            },
            Ratio("unchanged again / first time", atLeast: 4) { $0["8 KB unchanged /s"] / $0["8 KB first /s"] },
            Ratio("insert to row p50 / sum of its legs' p50", atMost: 1.1) {
                $0["latency p50 ms"] / $0["latency legs' p50 ms"]
            },
            Ratio("insert to row p99 / p50", atMost: 2.5) { $0["latency p99 ms"] / $0["latency p50 ms"] },
        ]
        + insertingCases.map { name in
            Ratio("inserting with our trigger / without: \(name)", atLeast: 0.9) {
                $0["inserting \(name), with / without"]
            }
        } + [
            Ratio("with a transaction open elsewhere / without", atLeast: 0.9) {
                $0["8 KB held /s"] / $0["8 KB end-to-end /s"]
            },
            Ratio("claim and complete at 1,000,000 queued / at 1,000", atLeast: 0.9) {
                $0["queue of 1000000 /s"] / $0["queue of 1000 /s"]
            },
            Ratio("rate at 200,000 stored / at 5,000", atLeast: 0.85) {
                $0["200000 stored /s"] / $0["5000 stored /s"]
            },
            Ratio("two workers / one, 50 ms", atLeast: 1.9) { $0["8 KB pair /s"] / $0["8 KB alone /s"] },
            Ratio("idle CPU, % of a core", atMost: 0.3) { $0["idle CPU %"] },
            Ratio("idle memory, MB", atMost: 40) { $0["idle MB"] },
        ]

    /// As `Tests/insert-cost` calls them.
    static let insertingCases = ["saturated", "keeping_up", "killed"]

    private static func ofSize(_ kilobytes: Int) -> [Ratio] {
        let size = "\(kilobytes) KB"
        return [
            Ratio("\(size) end to end / L", atLeast: 0.92) { $0["\(size) end-to-end /s"] / $0["\(size) L /s"] },
            Ratio("\(size) writing alone / COPY", atLeast: kilobytes == 8 ? 0.9 : 0.8) {
                $0["\(size) writing /s"] / $0["\(size) copy /s"]
            },
            Ratio("\(size) worker's CPU / wrk's", atMost: kilobytes == 8 ? 5.5 : 6) {
                $0["\(size) end-to-end worker CPU us"] / $0["\(size) wrk CPU us"]
            },
            Ratio("\(size) peak memory, MB", atMost: kilobytes == 8 ? 100 : 160) { $0["\(size) peak MB"] },
        ]
    }
}
