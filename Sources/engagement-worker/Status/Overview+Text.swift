import Enrichment
import Postgres

extension Overview {
    /// What comes below the verdict.
    func details(_ style: Style) -> String {
        let sections: [(String, String?)] = [
            ("queue", lanesText(style)), (partsTitle, partsText(style)), ("cannot be read", scopesText(style)),
            ("dead letters" + mark(.dead), dead.table(style)), ("workers", workersText(style)),
            ("completeness", walks.table(style)), ("last \(max(0, minutes.count - 1)) min", minutesText),
            (
                "could not be looked at",
                troubles.isEmpty ? nil : troubles.map { "\(TextEscaper.visible($0))\n" }.joined()
            ),
        ]
        return sections.compactMap { title, text in text.map { "\n" + style.paint(title, .cyan) + "\n" + $0 } }.joined()
    }

    /// Behind what is estimated.
    func mark(_ section: Section) -> String { estimated.contains(section) ? " ≈" : "" }

    private func lanesText(_ style: Style) -> String {
        var table = Table([
            .init(title: "lane"), .init(title: "reason", maximumWidth: 40), .init(title: "due", alignment: .right),
            .init(title: "oldest due", alignment: .right), .init(title: "in hand", alignment: .right),
            .init(title: "waiting", alignment: .right),
        ])
        let about = estimated.contains(.reasons) ? "≈ " : ""
        for lane in lanes {
            let oldest = lane.due > 0 ? lane.oldestDueSeconds.map(Wording.seconds) : nil
            table.add([
                lane.name, "", Wording.bounded(lane.due), oldest ?? "", lane.inHand.map(Wording.bounded),
                Wording.bounded(lane.waiting),
            ])
            for reason in reasons where reason.lane == lane.name && reason.reason != nil {
                table.add([
                    "", reason.reason, about + Wording.count(reason.due), "", about + Wording.count(reason.inHand),
                    about + Wording.count(reason.waiting),
                ])
            }
        }
        return table.text(style: style)
    }

    private var partsTitle: String {
        guard let engagements else { return "parts of the engagements" }
        return
            "parts of \(mark(.engagements).isEmpty ? Wording.bounded(engagements) : "≈ \(Wording.count(engagements))") engagement\(engagements == 1 ? "" : "s")"
            + (estimated.contains(.parts) ? ", by a sample" : "")
    }

    private func partsText(_ style: Style) -> String {
        guard engagements != 0 else { return "none yet\n" }
        var table = Table([
            .init(title: "part"), .init(title: "complete", maximumWidth: 30),
            .init(title: "seen p50", alignment: .right),
            .init(title: "p95", alignment: .right), .init(title: "missing" + mark(.gaps), maximumWidth: 120),
        ])
        for part in parts {
            let share = part.wanted == 0 ? nil : Double(part.complete) / Double(part.wanted)
            let missing = gaps.filter { $0.part == part.name }.map { gap in
                "\(Wording.count(gap.count)) \(gap.cause)" + (gap.scope.map { " (\($0))" } ?? "")
            }
            table.add([
                part.name, share.map { "\(Spark.bar($0)) \(Wording.percent($0))" } ?? "not asked for",
                part.ageMedianSeconds.map(Wording.seconds), part.ageP95Seconds.map(Wording.seconds),
                missing.joined(separator: ", "),
            ])
        }
        return table.text(style: style)
    }

    private func scopesText(_ style: Style) -> String? { scopes.rows.isEmpty ? nil : scopes.table(style) }

    private func workersText(_ style: Style) -> String {
        guard !workers.rows.isEmpty else { return "none\n" }
        var table = Table([
            .init(title: "worker"), .init(title: "host", maximumWidth: 30), .init(title: "pid", alignment: .right),
            .init(title: "version"), .init(title: "up", alignment: .right), .init(title: "says"),
            .init(title: "rate", alignment: .right), .init(title: "bell"), .init(title: "holds", alignment: .right),
            .init(title: "for example", maximumWidth: 72),
        ])
        for row in workers.rows {
            let text = { (name: String) -> String? in (try? row.text(named: name)) ?? nil }
            let seconds = { (name: String) -> Double? in text(name).flatMap(Double.init) }
            let says =
                text("is_alive") == "t"
                ? text("command").map { "command \($0)" }
                    ?? (text("verdict") ?? "starting") + (seconds("beat_s").map { " \(Wording.seconds($0)) ago" } ?? "")
                : "gone, seen \(seconds("beat_s").map(Wording.seconds) ?? "?") ago"
            table.add([
                text("worker"), text("host"), text("pid"), text("version"), seconds("up_s").map(Wording.seconds), says,
                seconds("requests_per_s").map { "\(($0 * 10).rounded() / 10)/s" }, text("listen"), text("holds"),
                text("for_example") ?? "",
            ])
        }
        return table.text(style: style)
    }

    private var minutesText: String {
        let done = minutes.map { $0.done.map(Double.init) }
        let failed = minutes.reduce(0) { $0 + ($1.failed ?? 0) }
        let ages = minutes.map(\.oldestDueSeconds)
        guard done.contains(where: { $0 != nil }) || ages.contains(where: { $0 != nil }) else {
            return "nothing was noted\n"
        }
        let total = Int(done.compactMap(\.self).reduce(0, +))
        let worst = ages.compactMap(\.self).max().map { "at most \(Wording.seconds($0))" } ?? "not noted"
        return """
            done        \(Spark.line(done))  \(Wording.count(total)), at most \(Wording.count(Int(done.compactMap(\.self).max() ?? 0))) a minute\
            \(failed > 0 ? "; \(Wording.count(failed)) failed" : "")
            oldest due  \(Spark.line(ages))  \(worst)

            """
    }
}

extension Overview.Core {
    /// What there is to say beside the word.
    var sentences: [String] {
        var facts: [String] = []
        if let why = verdict.why { facts.append(why) }
        if let oldestDueSeconds {
            facts.append("oldest due \(Wording.seconds(oldestDueSeconds))")
        } else {
            facts.append(backgroundDue > 0 ? "\(Wording.bounded(backgroundDue)) due in the background" : "nothing due")
        }
        facts.append(lastSuccessSeconds.map { "last success \(Wording.seconds($0)) ago" } ?? "no success noted yet")
        facts.append("\(workersAlive) worker\(workersAlive == 1 ? "" : "s")")
        return facts
    }

    /// `HEALTHY · oldest due 0.8 s · last success 3 s ago · 2 workers`, and what to do where something is wrong.
    func text(_ style: Style) -> String {
        let word = style.paint(verdict.word.rawValue.uppercased(), verdict.word.paint)
        var text = word + " · " + sentences.map(TextEscaper.visible).joined(separator: " · ") + "\n"
        if let next = verdict.next { text += "  → \(next)\n" }
        for note in verdict.notes {
            text += "  \(style.paint("!", .yellow)) \(TextEscaper.visible(note.text)) → \(note.next)\n"
        }
        return text
    }
}

extension FleetVerdict.Word {
    fileprivate var paint: Style.Paint {
        switch self {
        case .healthy: .green
        case .paused, .behind: .yellow
        case .blocked, .stuck, .stopped: .red
        }
    }
}
