/// What "status" says first: how the schema as a whole is, why, and what to do. Pure.
package struct FleetVerdict: Equatable, Sendable {
    /// The heartbeat's words, and two of its own for what no heartbeat can say.
    package enum Word: String, CaseIterable, Sendable {
        case healthy, behind, blocked, paused
        /// Workers run and say nothing.
        case stuck
        /// No worker runs.
        case stopped
    }

    /// A worker, as the database knows it.
    package struct WorkerFacts: Sendable {
        package var isAlive: Bool
        /// Nil before its first heartbeat.
        package var verdict: Heartbeat.Verdict?
        package var why: String?
        package var limitedBy: Heartbeat.Limit?
        /// Seconds since it said so; without a heartbeat, since it started.
        package var heartbeatAge: Double

        package init(
            isAlive: Bool = true, verdict: Heartbeat.Verdict? = .healthy, why: String? = nil,
            limitedBy: Heartbeat.Limit? = .nothing, heartbeatAge: Double = 5
        ) {
            self.isAlive = isAlive
            self.verdict = verdict
            self.why = why
            self.limitedBy = limitedBy
            self.heartbeatAge = heartbeatAge
        }
    }

    package struct Facts: Sendable {
        /// Jobs due now, of the normal lane and above.
        package var due = 0
        package var oldestDueSeconds: Double = 0
        package var isPaused = false
        package var pausedBy: String?
        package var pausedSeconds: Double?
        package var workers: [WorkerFacts] = []
        package var deniedParts: [String] = []
        /// Dead letters of the last day.
        package var deadToday = 0

        package init() {}
    }

    /// Heartbeats come each 10 s. One that is older than this does not come any more.
    package static let silenceSeconds: Double = 60

    package var word: Word
    package var why: String?
    /// The next command, or what to read.
    package var next: String?
    /// What is not wrong enough for the verdict, each with what to do.
    package var notes: [Note]

    package struct Note: Equatable, Sendable {
        package var text: String
        package var next: String
    }

    package init(_ facts: Facts) {
        notes = Self.notes(facts)
        let alive = facts.workers.filter(\.isAlive)
        // One that never said anything may be of a version that does not.
        let speaking = alive.filter { $0.verdict == nil || $0.heartbeatAge <= Self.silenceSeconds }
        if facts.isPaused {
            let since = facts.pausedSeconds.map { ", for \(Wording.seconds($0))" } ?? ""
            (word, why, next) = (.paused, "by \(facts.pausedBy ?? "somebody")\(since)", "engagement-worker resume")
        } else if alive.isEmpty {
            (word, why, next) = (.stopped, "no worker runs", "engagement-worker run")
        } else if speaking.isEmpty {
            let age = Int(alive.map(\.heartbeatAge).min() ?? 0)
            (word, why, next) = (
                .stuck, "no worker said anything for \(age) s", "engagement-worker doctor"
            )
        } else if let blocked = Self.shared(.blocked, speaking) {
            (word, why, next) = (.blocked, blocked, "engagement-worker doctor")
        } else if facts.due > 0, facts.oldestDueSeconds > Diagnosis.patienceSeconds {
            let limit = speaking.compactMap(\.limitedBy).first { $0 != .nothing }
            (word, why, next) = (
                .behind, limit.map { "limited by the \($0.noun)" } ?? "jobs wait longer than a minute",
                limit?.remedy ?? "engagement-worker doctor"
            )
        } else {
            (word, why, next) = (.healthy, nil, nil)
        }
    }

    /// The reason, if all that have said anything have this verdict.
    private static func shared(_ verdict: Heartbeat.Verdict, _ workers: [WorkerFacts]) -> String? {
        let told = workers.filter { $0.verdict != nil }
        guard !told.isEmpty, told.allSatisfy({ $0.verdict == verdict }) else { return nil }
        return told.lazy.compactMap(\.why).first ?? verdict.rawValue
    }

    private static func notes(_ facts: Facts) -> [Note] {
        var notes: [Note] = []
        let blocked = facts.workers.filter { $0.isAlive && $0.verdict == .blocked }
        let alive = facts.workers.count(where: \.isAlive)
        if let why = blocked.first?.why, blocked.count < alive {
            notes.append(
                Note(text: "\(blocked.count) of \(alive) workers blocked: \(why)", next: "engagement-worker doctor"))
        }
        let silent = facts.workers.count { $0.isAlive && $0.verdict == nil && $0.heartbeatAge > silenceSeconds }
        if silent > 0 {
            notes.append(
                Note(
                    text:
                        "\(count(silent, "worker")) of which nothing is known: of an older version, or without a right",
                    next: "engagement-worker doctor"))
        }
        let hanging = facts.workers.filter { $0.isAlive && $0.verdict != nil && $0.heartbeatAge > silenceSeconds }
        if let age = hanging.map(\.heartbeatAge).max(), hanging.count < alive {
            notes.append(
                Note(
                    text: "\(hanging.count) of \(alive) workers said nothing for \(Wording.seconds(age))",
                    next: "see its log, and start it anew"))
        }
        let gone = facts.workers.count { !$0.isAlive }
        if gone > 0, alive > 0 {
            notes.append(
                Note(text: "\(count(gone, "worker")) gone without a word", next: "their jobs come back by themselves"))
        }
        if facts.deadToday > 0 {
            notes.append(
                Note(
                    text:
                        "\(Wording.bounded(facts.deadToday)) dead letter\(facts.deadToday == 1 ? "" : "s") since yesterday",
                    next: "engagement-worker dead list"))
        }
        if !facts.deniedParts.isEmpty {
            notes.append(
                Note(
                    text: "not readable: \(facts.deniedParts.joined(separator: ", "))", next: "engagement-worker scopes"
                ))
        }
        return notes
    }

    private static func count(_ n: Int, _ noun: String) -> String { "\(n) \(noun)\(n == 1 ? "" : "s")" }
}

extension Heartbeat.Limit {
    fileprivate var noun: String {
        switch self {
        case .api: "API"
        case .database: "database"
        case .nothing: "nothing"
        }
    }

    fileprivate var remedy: String {
        switch self {
        case .api: "raise --concurrency, or ask AskElephant for a higher limit"
        case .database: "give Postgres more to work with, or raise --writers"
        case .nothing: "engagement-worker doctor"
        }
    }
}
