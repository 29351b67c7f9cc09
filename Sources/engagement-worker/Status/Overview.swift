import Enrichment
import Postgres
import SQLText

/// What "status" shows, as read at one moment. Cheap whatever the size: counts stop at 10,001, and of large tables a sample of
/// pages is read.
struct Overview {
    /// Pages of a table that are read whole; of a larger one as many at random.
    private static let queuePages = 400.0
    private static let engagementPages = 300.0

    struct Lane {
        var name: String
        var due: Int
        var oldestDueSeconds: Double?
        var inHand: Int
        var waiting: Int
    }

    struct Reason {
        var lane: String
        var reason: String?
        var due: Int
        var inHand: Int
        var waiting: Int
    }

    struct Part {
        var name: String
        /// Of the engagements that were looked at: those for which it was asked, and for how many of these it is here.
        var wanted: Int
        var complete: Int
        var ageMedianSeconds: Double?
        var ageP95Seconds: Double?
    }

    struct Gap {
        var part: String
        var cause: String
        var scope: String?
        var count: Int
    }

    struct Minute {
        var time: String
        var done: Int
        var failed: Int
        var oldestDueSeconds: Double?
    }

    var verdict: FleetVerdict
    var workersAlive: Int
    var oldestDueSeconds: Double
    var lastSuccessSeconds: Double?
    var engagements: Int
    var lanes: [Lane]
    var reasons: [Reason]
    var parts: [Part]
    var gaps: [Gap]
    var scopes: Results
    var dead: Results
    var workers: Results
    var walks: Results
    var minutes: [Minute]
    /// Sections of which a sample was read.
    var estimated: Set<Section> = []

    enum Section: String, CaseIterable {
        case engagements, reasons, parts, gaps
        case dead = "dead_letters"
    }

    /// - Parameter minutes: how far back the rate and the age go.
    static func read(_ session: Session, minutes: Int) async throws -> Overview {
        guard let facts = try await session.query(Statements.statusFacts).first else {
            throw PostgresError.unexpectedResult(column: "paused")
        }
        var estimated: Set<Section> = []
        func percent(_ pages: Int64, _ most: Double, _ section: Section) -> Parameter {
            guard Double(pages) > most else { return .double(100) }
            estimated.insert(section)
            return .double(100 * most / Double(pages))
        }
        let lanes = try await session.query(Statements.statusQueue).map(Lane.init)
        let reasons: [Row]
        if lanes.contains(where: { $0.due + $0.inHand + $0.waiting > 10_000 }) {
            let share = percent(try facts.integer("queue_pages"), queuePages, .reasons)
            estimated.insert(.reasons)
            reasons = try await session.query(Statements.statusReasonsAbout, [share])
        } else {
            reasons = try await session.query(Statements.statusReasons)
        }
        let parts = try await session.query(
            Statements.statusParts, [percent(try facts.integer("engagement_pages"), engagementPages, .parts)])
        let gaps = try await session.query(
            Statements.statusGaps, [percent(try facts.integer("gap_pages"), queuePages, .gaps)])
        let dead = try await session.query(
            Statements.statusDead, [percent(try facts.integer("dead_pages"), queuePages, .dead)])
        let workers = try await session.query(Statements.statusWorkers)
        var engagements = Int(try facts.integer("engagements"))
        if engagements > 10_000 {
            engagements = max(engagements, Int(try facts.integer("engagements_about")))
            estimated.insert(.engagements)
        }
        let live = lanes.filter { $0.name != "background" }
        let successes = try [facts.doubleIfPresent("changed_s")] + workers.map { try $0.doubleIfPresent("success_s") }
        var verdict = FleetVerdict.Facts()
        verdict.due = live.reduce(0) { $0 + $1.due }
        verdict.oldestDueSeconds = live.compactMap(\.oldestDueSeconds).max() ?? 0
        verdict.isPaused = try facts.textIfPresent("paused") == "t"
        verdict.pausedBy = try facts.textIfPresent("paused_by")
        verdict.workers = try workers.map(FleetVerdict.WorkerFacts.init)
        verdict.deniedParts = try await session.query(Statements.statusScopes).map { try $0.text("part") }
        verdict.deadToday = Int(try facts.integer("dead_today"))
        return Overview(
            verdict: FleetVerdict(verdict), workersAlive: verdict.workers.count(where: \.isAlive),
            oldestDueSeconds: verdict.oldestDueSeconds, lastSuccessSeconds: successes.compactMap(\.self).min(),
            engagements: engagements, lanes: lanes, reasons: try reasons.map(Reason.init),
            parts: try parts.map(Part.init),
            gaps: try gaps.map(Gap.init), scopes: Results(rows: try await session.query(Statements.statusScopes)),
            dead: Results(rows: dead), workers: Results(rows: workers),
            walks: Results(rows: try await session.query(Statements.statusWalks)),
            minutes: try await session.query(Statements.statusMinutes, [.bigint(Int64(minutes))]).map(Minute.init),
            estimated: estimated)
    }
}

extension Overview.Lane {
    fileprivate init(_ row: Row) throws {
        self.init(
            name: try row.text("lane"), due: Int(try row.integer("due")),
            oldestDueSeconds: try row.doubleIfPresent("oldest_due_s"), inHand: Int(try row.integer("in_hand")),
            waiting: Int(try row.integer("waiting")))
    }
}

extension Overview.Reason {
    fileprivate init(_ row: Row) throws {
        self.init(
            lane: try row.text("lane"), reason: try row.textIfPresent("reason"), due: Int(try row.integer("due")),
            inHand: Int(try row.integer("in_hand")), waiting: Int(try row.integer("waiting")))
    }
}

extension Overview.Part {
    fileprivate init(_ row: Row) throws {
        self.init(
            name: try row.text("part"), wanted: Int(try row.integer("wanted")),
            complete: Int(try row.integer("complete")), ageMedianSeconds: try row.doubleIfPresent("age_p50_s"),
            ageP95Seconds: try row.doubleIfPresent("age_p95_s"))
    }
}

extension Overview.Gap {
    fileprivate init(_ row: Row) throws {
        self.init(
            part: try row.text("part"), cause: try row.text("cause"), scope: try row.textIfPresent("scope"),
            count: Int(try row.integer("n")))
    }
}

extension Overview.Minute {
    fileprivate init(_ row: Row) throws {
        self.init(
            time: try row.text("minute"), done: Int(try row.integer("done")), failed: Int(try row.integer("failed")),
            oldestDueSeconds: try row.doubleIfPresent("oldest_due_s"))
    }
}

extension FleetVerdict.WorkerFacts {
    fileprivate init(_ row: Row) throws {
        self.init(
            isAlive: try row.boolean("is_alive"),
            verdict: try row.textIfPresent("verdict").flatMap(Heartbeat.Verdict.init),
            why: try row.textIfPresent("why"),
            limitedBy: try row.textIfPresent("limited_by").flatMap(Heartbeat.Limit.init),
            heartbeatAge: try row.doubleIfPresent("beat_s") ?? 0)
    }
}
