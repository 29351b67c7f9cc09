import Enrichment
import Postgres
import SQLText

/// What "status" shows, as read at one moment. Cheap whatever the size: counts stop at 10,001, and of large tables a sample of
/// pages is read.
struct Overview {
    /// Pages of a table that are read whole; of a larger one as many at random.
    private static let queuePages = 400.0
    private static let engagementPages = 100.0

    struct Lane {
        var name: String
        var due: Int
        var oldestDueSeconds: Double?
        /// Nil where more than 10,000 wait: then it is not known.
        var inHand: Int?
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
        /// Nil where nobody noted anything.
        var done: Int?
        var failed: Int?
        var oldestDueSeconds: Double?
    }

    var verdict: FleetVerdict
    var workersAlive: Int
    /// Nil: nothing is due, of the normal lane and above.
    var oldestDueSeconds: Double?
    var lastSuccessSeconds: Double?
    /// Nil where they cannot be counted.
    var engagements: Int?
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
    /// Why some sections are empty: what is locked or may not be read does not keep the rest back.
    var troubles: [String] = []

    enum Section: String, CaseIterable {
        case engagements, reasons, parts, gaps
        case dead = "dead_letters"
    }

    /// What the verdict rests on: read first, and said first.
    struct Core {
        var verdict: FleetVerdict
        var workersAlive: Int
        var oldestDueSeconds: Double?
        var backgroundDue: Int
        var lastSuccessSeconds: Double?
        var lanes: [Lane]
        fileprivate var facts: Row?
        fileprivate var workers: [Row]
        fileprivate var troubles: [String]

        static func read(_ session: Session) async throws -> Core {
            let control = try await session.query(Statements.controlShow).first
            let lanes = try await session.query(Statements.statusQueue).map(Lane.init)
            let workers = try await session.query(Statements.statusWorkers)
            var reader = SectionReader(session: session)
            let facts = await reader.rows("notes", Statements.statusFacts).first
            let live = lanes.filter { $0.name != "background" }
            let oldest = live.filter { $0.due > 0 }.map { $0.oldestDueSeconds ?? 0 }.max()
            var verdict = FleetVerdict.Facts()
            verdict.due = live.reduce(0) { $0 + $1.due }
            verdict.oldestDueSeconds = oldest ?? 0
            verdict.isPaused = try control?.boolean("paused") ?? false
            verdict.pausedBy = try control?.textIfPresent("paused_by")
            verdict.pausedSeconds = try control?.doubleIfPresent("paused_s")
            verdict.workers = try workers.filter { try $0.textIfPresent("command") == nil }
                .map(FleetVerdict.WorkerFacts.init)
            verdict.deniedParts = try facts?.text("denied").split(separator: ",").map(String.init) ?? []
            verdict.deadToday = Int(try facts?.integer("dead_today") ?? 0)
            let successes =
                try [facts?.doubleIfPresent("success_s")] + workers.map { try $0.doubleIfPresent("success_s") }
            return Core(
                verdict: FleetVerdict(verdict), workersAlive: verdict.workers.count(where: \.isAlive),
                oldestDueSeconds: oldest,
                backgroundDue: lanes.first { $0.name == "background" }?.due ?? 0,
                lastSuccessSeconds: successes.compactMap(\.self).min(), lanes: lanes, facts: facts, workers: workers,
                troubles: reader.troubles)
        }
    }

    /// - Parameter minutes: how far back the rate and the age go.
    static func read(_ session: Session, minutes: Int, _ core: Core) async throws -> Overview {
        var reader = SectionReader(session: session, troubles: core.troubles)
        let isLarge = core.lanes.contains { $0.due + ($0.inHand ?? 0) + $0.waiting > 10_000 }
        let reasons =
            isLarge
            ? await reader.sample(.reasons, Statements.statusReasonsAbout, of: "enrichment_queue", queuePages)
            : await reader.rows("reasons", Statements.statusReasons)
        if isLarge { reader.estimated.insert(.reasons) }
        let parts = await reader.sample(.parts, Statements.statusParts, of: "engagements", engagementPages)
        let gaps = await reader.sample(.gaps, Statements.statusGaps, of: "engagement_gaps", queuePages)
        let dead = await reader.sample(.dead, Statements.statusDead, of: "dead_letters", queuePages)
        let scopes = await reader.rows("scopes", Statements.statusScopes)
        let walks = await reader.rows("completeness", Statements.statusWalks)
        let last = await reader.rows("minutes", Statements.statusMinutes, [.bigint(Int64(minutes))])
        var engagements = try core.facts.map { Int(try $0.integer("engagements")) }
        // A table that was never analysed is not estimated.
        if let facts = core.facts, let counted = engagements, counted > 10_000,
            case let about = Int(try facts.integer("engagements_about")), about > counted
        {
            engagements = about
            reader.estimated.insert(.engagements)
        }
        return Overview(
            verdict: core.verdict, workersAlive: core.workersAlive, oldestDueSeconds: core.oldestDueSeconds,
            lastSuccessSeconds: core.lastSuccessSeconds, engagements: engagements, lanes: core.lanes,
            reasons: try reasons.map(Reason.init), parts: try parts.map(Part.init), gaps: try gaps.map(Gap.init),
            scopes: Results(rows: scopes), dead: Results(rows: dead), workers: Results(rows: core.workers),
            walks: Results(rows: walks), minutes: try last.map(Minute.init), estimated: reader.estimated,
            troubles: reader.troubles)
    }
}

/// Reads the sections of which none keeps another one back.
private struct SectionReader {
    let session: Session
    var estimated: Set<Overview.Section> = []
    var troubles: [String] = []

    mutating func rows(_ name: String, _ statement: Statement, _ parameters: [Parameter] = []) async -> [Row] {
        do { return try await session.query(statement, parameters) } catch {
            troubles.append("\(name): \(error)")
            return []
        }
    }

    /// - Parameter most: pages that are read; of a table with more of them a sample is.
    mutating func sample(
        _ section: Overview.Section, _ statement: Statement, of table: String, _ most: Double
    ) async -> [Row] {
        let pages = await rows(section.rawValue, Statements.statusPages, [.text(table)])
        guard let pages = (try? pages.first?.integerIfPresent("pages")) ?? nil else { return [] }
        let percent = min(100, 100 * most / max(1, Double(pages)))
        if percent < 100 { estimated.insert(section) }
        return await rows(section.rawValue, statement, [.double(percent)])
    }
}

extension Overview.Lane {
    fileprivate init(_ row: Row) throws {
        self.init(
            name: try row.text("lane"), due: Int(try row.integer("due")),
            oldestDueSeconds: try row.doubleIfPresent("oldest_due_s"),
            inHand: try row.integerIfPresent("in_hand").map(Int.init), waiting: Int(try row.integer("waiting")))
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
            time: try row.text("minute"), done: try row.integerIfPresent("done").map(Int.init),
            failed: try row.integerIfPresent("failed").map(Int.init),
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
