import Enrichment
import Postgres
import SQLText

/// The report: one page that needs nothing but itself, neither a script nor the network. It holds ids of engagements, and
/// nothing else of them.
struct Page {
    private struct Step {
        var label: String
        var done: Double?
        var failed: Double?
        var waitSeconds: Double?
        var oldestDueSeconds: Double?
    }

    private let core: Overview.Core
    private let overview: Overview
    private let steps: [Step]
    private let causes: Results
    private let slowest: Results
    private let schema: String
    private let time: String

    /// - Parameter time: when it was made, for people.
    init(_ session: Session, schema: String, time: String) async throws {
        core = try await Overview.Core.read(session)
        overview = try await Overview.read(session, minutes: 30, core)
        steps = try await session.query(Statements.reportActivity).map { row in
            Step(
                label: try row.text("at"), done: try row.integerIfPresent("done").map(Double.init),
                failed: try row.integerIfPresent("failed").map(Double.init),
                waitSeconds: try row.integerIfPresent("wait_ms").map { Double($0) / 1000 },
                oldestDueSeconds: try row.doubleIfPresent("oldest_due_s"))
        }
        causes = Results(rows: try await session.query(Statements.reportCauses))
        slowest = Results(rows: try await session.query(Statements.reportSlowest))
        self.schema = schema
        self.time = time
    }

    var html: String {
        let word = overview.verdict.word
        return """
            <!DOCTYPE html>
            <html lang="en">
            <head>
            <meta charset="utf-8">
            <meta name="viewport" content="width=device-width, initial-scale=1">
            <meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
            <title>engagement-worker: \(word.rawValue)</title>
            <style>\(Self.style)</style>
            </head>
            <body>
            <header>
            <h1><span class="verdict \(word.rawValue)">\(word.rawValue)</span> engagement-worker</h1>
            <p>\(HTML.escaped(core.sentences.joined(separator: " · ")))</p>
            \(advice)
            <p class="dim">Schema \(HTML.escaped(schema)), \(HTML.escaped(time)). Version \(HTML.escaped(Version.current)).</p>
            </header>
            \(sections)
            </body>
            </html>

            """
    }

    private var advice: String {
        var lines = overview.verdict.next.map { ["<li><code>\(HTML.escaped($0))</code></li>"] } ?? []
        lines += overview.verdict.notes.map {
            "<li>\(HTML.escaped($0.text)): <code>\(HTML.escaped($0.next))</code></li>"
        }
        return lines.isEmpty ? "" : "<ul>\(lines.joined())</ul>"
    }

    private var sections: String {
        let labels = steps.map(\.label)
        let done = steps.compactMap(\.done).reduce(0, +)
        let failed = steps.compactMap(\.failed).reduce(0, +)
        let rate = Chart(labels: labels, title: "Jobs each ten minutes")
            .bars([
                .init(style: "done", values: steps.map(\.done)), .init(style: "failed", values: steps.map(\.failed)),
            ])
        let age = Chart(labels: labels, title: "Age of the oldest due job", isTime: true)
            .line(.init(style: "age", values: steps.map(\.oldestDueSeconds)))
        let wait = Chart(labels: labels, title: "Mean wait of a job", isTime: true)
            .line(.init(style: "wait", values: steps.map(\.waitSeconds)))
        return [
            section(
                "Rate",
                "\(Wording.count(Int(done))) done and \(Wording.count(Int(failed))) failed within 24 h, each ten minutes. Times are UTC.",
                rate),
            section("Age", "Of the oldest due job, of the normal lane and above: the worst of each ten minutes.", age),
            section("Wait", "How long jobs that ended had waited since they were due, on average.", wait),
            section("Coverage by part", partsNote, parts),
            section(
                "Failures by cause",
                "Within 24 h. retry: charged and tried again; released: put off, uncharged; dead: a dead letter.",
                failures),
            section("What cannot be read", "Grant the scope: the part then fills in by itself.", rows(overview.scopes)),
            section(
                "Dead letters" + overview.mark(.dead), "engagement-worker dead list shows them.",
                rows(overview.dead, right: ["n"])),
            section(
                "Slowest engagements", "Within 24 h: fetching and writing together, the slowest of each minute.", slow),
            section(
                "Workers", nil,
                rows(
                    overview.workers, without: ["for_example", "success_s", "dead", "done"],
                    right: ["pid", "up_s", "beat_s", "holds", "requests_per_s"])),
            section(
                "Completeness", "When the API's list was walked through last.",
                rows(overview.walks, right: ["listed", "queued", "drift"])),
            troubles,
        ].compactMap(\.self).joined(separator: "\n")
    }

    /// Why a section is empty that might not be; nil where all was read.
    private var troubles: String? {
        guard !overview.troubles.isEmpty else { return nil }
        let lines = overview.troubles.map { "<li>\(HTML.escaped($0))</li>" }
        return section("Could not be looked at", nil, "<ul>\(lines.joined())</ul>")
    }

    private func section(_ title: String, _ note: String?, _ content: String?) -> String {
        """
        <section>
        <h2>\(HTML.escaped(title))</h2>
        \(note.map { "<p class=\"dim\">\(HTML.escaped($0))</p>" } ?? "")
        \(content ?? "<p>none</p>")
        </section>
        """
    }

    private var partsNote: String {
        guard let engagements = overview.engagements else { return "Of how many engagements could not be read." }
        let count =
            overview.estimated.contains(.engagements)
            ? "≈ \(Wording.count(engagements))" : Wording.bounded(engagements)
        return "Of \(count) engagements" + (overview.estimated.contains(.parts) ? ", by a sample" : "") + "."
    }

    private var parts: String? {
        HTML.table(
            ["part", "complete", "seen p50", "p95", "missing" + overview.mark(.gaps)], right: [2, 3],
            overview.parts.map { part in
                let missing = overview.gaps.filter { $0.part == part.name }.map { gap in
                    "\(Wording.count(gap.count)) \(gap.cause)" + (gap.scope.map { " (\($0))" } ?? "")
                }
                return [
                    HTML.escaped(part.name),
                    part.wanted == 0 ? "not asked for" : HTML.bar(Double(part.complete) / Double(part.wanted)),
                    part.ageMedianSeconds.map(Wording.seconds) ?? "", part.ageP95Seconds.map(Wording.seconds) ?? "",
                    HTML.escaped(missing.joined(separator: ", ")),
                ]
            })
    }

    private var failures: String? {
        let counts = causes.rows.map { row in ((try? row.text(named: "n")) ?? nil).flatMap(Double.init) ?? 0 }
        let most = counts.max() ?? 0
        return HTML.table(
            ["outcome", "cause", "n", ""], right: [2],
            zip(causes.rows, counts).map { row, count in
                [
                    text(row, "outcome"), text(row, "cause"), Wording.count(Int(count)),
                    "<span class=\"bar wide\"><span class=\"failed\" style=\"width:\(HTML.hundredths(most > 0 ? count / most * 100 : 0))%\"></span></span>",
                ]
            })
    }

    private var slow: String? {
        HTML.table(
            ["engagement", "ms", "outcome", "at"], right: [1],
            slowest.rows.map { row in
                let milliseconds = ((try? row.text(named: "ms")) ?? nil).flatMap(Int.init) ?? 0
                return [
                    "<code>\(text(row, "engagement_id"))</code>", Wording.count(milliseconds), text(row, "outcome"),
                    text(row, "at"),
                ]
            })
    }

    /// A table of all columns of the rows but those.
    private func rows(_ results: Results, without: Set<String> = [], right: Set<String> = []) -> String? {
        let columns = results.columns.filter { !without.contains($0) }
        let aligned = Set(columns.indices.filter { right.contains(columns[$0]) })
        return HTML.table(columns, right: aligned, results.rows.map { row in columns.map { text(row, $0) } })
    }

    private func text(_ row: Row, _ column: String) -> String {
        switch (try? row.text(named: column)) ?? nil {
        case nil: ""
        case "t": "yes"
        case "f": "no"
        // Seconds and rates come with all their digits.
        case let text? where text.contains("."):
            HTML.escaped(Double(text).map { HTML.hundredths(($0 * 10).rounded() / 10) } ?? text)
        case let text?: HTML.escaped(text)
        }
    }

    private static let style = """
        :root { color-scheme: light dark; --ink: #1b1f24; --dim: #5c6670; --paper: #ffffff; --card: #f6f8fa; --line: #d5dbe1;
          --good: #1a7f37; --bad: #c93c37; --warn: #9a6700; --blue: #2f6fde; --violet: #8250df; }
        @media (prefers-color-scheme: dark) { :root { --ink: #e6edf3; --dim: #9aa5b1; --paper: #0d1117; --card: #161b22; --line: #30363d;
          --good: #3fb950; --bad: #f85149; --warn: #d29922; --blue: #6ea8fe; --violet: #b694ff; } }
        body { margin: 0 auto; padding: 24px; max-width: 1040px; background: var(--paper); color: var(--ink); font: 15px/1.5 system-ui, sans-serif; }
        h1 { font-size: 24px; margin: 0; } h2 { font-size: 16px; margin: 0; } p, ul { margin: 4px 0; }
        header, section { background: var(--card); border: 1px solid var(--line); border-radius: 8px; padding: 16px 20px; margin-bottom: 16px; overflow-x: auto; }
        .dim, th { color: var(--dim); font-size: 13px; } code { font: 13px/1.4 ui-monospace, monospace; }
        .verdict { display: inline-block; padding: 0 12px; border-radius: 6px; color: var(--paper); text-transform: uppercase; background: var(--bad); }
        .verdict.healthy { background: var(--good); } .verdict.paused, .verdict.behind { background: var(--warn); }
        table { border-collapse: collapse; width: 100%; font-size: 14px; } th, td { text-align: left; padding: 4px 12px 4px 0; vertical-align: top; }
        tbody tr { border-top: 1px solid var(--line); } th.number, td.number { text-align: right; font-variant-numeric: tabular-nums; padding-right: 28px; }
        .bar { display: inline-block; width: 160px; height: 10px; background: var(--line); border-radius: 5px; overflow: hidden; vertical-align: middle; }
        .bar.wide { width: 320px; max-width: 40vw; } .bar span { display: block; height: 100%; background: var(--good); } .bar span.failed { background: var(--bad); }
        svg { width: 100%; height: auto; display: block; } svg text { fill: var(--dim); font-size: 11px; } .grid { stroke: var(--line); stroke-width: 1; }
        rect.done { fill: var(--good); } rect.failed { fill: var(--bad); }
        polyline { fill: none; stroke-width: 2; } .age { stroke: var(--blue); } .wait { stroke: var(--violet); }
        .area { stroke: none; opacity: .18; } .age.area { fill: var(--blue); } .wait.area { fill: var(--violet); }
        """
}
