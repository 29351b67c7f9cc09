import Enrichment
import Postgres

extension Overview {
    /// One screen for people: the verdict, then what it rests on.
    func text(_ style: Style) -> String {
        ([head(style)]
            + [
                ("queue", lanesText(style)), (partsTitle, partsText(style)), ("cannot be read", scopesText(style)),
                ("dead letters" + mark(.dead), deadText(style)), ("workers", workersText(style)),
                ("completeness", walks.table(style)), ("last \(minutes.count - 1) min", minutesText),
            ].compactMap { title, text in text.map { style.paint(title, .cyan) + "\n" + $0 } }).joined(separator: "\n")
    }

    /// `HEALTHY · oldest due 0.8 s · last success 3 s ago · 2 workers`, and what to do where something is wrong.
    private func head(_ style: Style) -> String {
        var facts: [String] = []
        if let why = verdict.why { facts.append(why) }
        facts.append(oldestDueSeconds > 0 ? "oldest due \(Wording.seconds(oldestDueSeconds))" : "nothing due")
        facts.append(lastSuccessSeconds.map { "last success \(Wording.seconds($0)) ago" } ?? "no success yet")
        facts.append("\(workersAlive) worker\(workersAlive == 1 ? "" : "s")")
        let word = style.paint(verdict.word.rawValue.uppercased(), verdict.word.paint)
        var text = word + " · " + facts.map(TextEscaper.visible).joined(separator: " · ") + "\n"
        if let next = verdict.next { text += "  → \(next)\n" }
        for note in verdict.notes {
            text += "  \(style.paint("!", .yellow)) \(TextEscaper.visible(note.text)) → \(note.next)\n"
        }
        return text
    }

    private func mark(_ section: Section) -> String { estimated.contains(section) ? " ≈" : "" }

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
                lane.name, "", Wording.bounded(lane.due), oldest ?? "", Wording.bounded(lane.inHand),
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
        "parts of \(mark(.engagements).isEmpty ? "" : "≈ ")\(Wording.count(engagements)) engagement\(engagements == 1 ? "" : "s")"
            + (estimated.contains(.parts) ? ", by a sample" : "")
    }

    private func partsText(_ style: Style) -> String {
        guard engagements > 0 else { return "none yet\n" }
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

    private func deadText(_ style: Style) -> String { dead.table(style) }

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
                ? (text("verdict") ?? "starting") + (seconds("beat_s").map { " \(Wording.seconds($0)) ago" } ?? "")
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
        let done = minutes.map { Double($0.done) }
        let failed = minutes.reduce(0) { $0 + $1.failed }
        let ages = minutes.map(\.oldestDueSeconds)
        let total = Int(done.reduce(0, +))
        return """
            done        \(Spark.line(done))  \(Wording.count(total)), at most \(Wording.count(Int(done.max() ?? 0))) a minute\
            \(failed > 0 ? "; \(Wording.count(failed)) failed" : "")
            oldest due  \(Spark.line(ages))  at most \(Wording.seconds(ages.compactMap(\.self).max() ?? 0))

            """
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
