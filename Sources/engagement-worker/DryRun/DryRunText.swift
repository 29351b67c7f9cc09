import AskElephant

/// The outcome of a dry run for people: the requests, then line by line what a write would add (+), remove (-) and
/// change (~).
struct DryRunText {
    let style: Style
    /// Of a longer list of items the rest is counted.
    private static let mostItems = 5

    func text(_ outcome: DryRun.Outcome) -> String {
        let head = style.paint(outcome.id.rawValue, .cyan) + "\n" + requests(outcome.sent)
        return head + outcome.denials.map(denial).joined() + end(outcome.end) + "\n"
    }

    private func requests(_ sent: [DryRunRequests.Sent]) -> String {
        var table = Table([
            .init(title: "method"), .init(title: "path", maximumWidth: 200), .init(title: "status"),
            .init(title: "request_id"), .init(title: "ms", alignment: .right),
        ])
        for one in sent {
            table.add([
                one.method, one.path, one.status.map(String.init) ?? one.failure, one.requestID, "\(one.milliseconds)",
            ])
        }
        return table.text(style: style)
    }

    private func denial(_ denial: ScopeFallback.Denial) -> String {
        let scope = denial.part.scope.map { "it lacks \($0.rawValue)" } ?? "no scope is documented for it"
        return style.paint("the credential may not read \(denial.part.rawValue): \(scope)", .yellow) + "\n"
    }

    private func end(_ end: DryRun.Outcome.End) -> String {
        switch end {
        case .unreadable(let why), .credentialRefused(let why):
            return style.paint(TextEscaper.visible(why), .red) + "\n"
        case .compared(let comparison): return compared(comparison)
        }
    }

    private func compared(_ comparison: DryRun.Outcome.Comparison) -> String {
        if comparison.isSuperseded { return "superseded: something newer is stored; --force lets this win\n" }
        let lines =
            comparison.difference.fields.map(field) + comparison.difference.parts.flatMap(part)
            + comparison.gaps.map(gap)
        let head =
            comparison.storedAt.map { "against what was stored at \($0):" } ?? "nothing is stored of it yet:"
        return comparison.isUnchanged ? "unchanged\n" + lines.joined() : head + "\n" + lines.joined()
    }

    private func field(_ field: Difference.Field) -> String {
        let name = PlainValue.name(field.name)
        let (old, new) = (
            PlainValue.shown(field.stored, of: field.name), PlainValue.shown(field.fetched, of: field.name)
        )
        switch field.change {
        case .added: return line(.added, "\(name)  \(new ?? "")")
        case .removed: return line(.removed, "\(name)  \(old ?? "")")
        case .changed:
            let values = old == nil && new == nil ? "changed" : "\(old ?? "…") → \(new ?? "…")"
            return line(.changed, "\(name)  \(values)")
        }
    }

    private func part(_ part: Difference.Part) -> [String] {
        let name = part.part.rawValue
        switch part.version {
        case .other: return [line(.changed, "\(name)  another version, with the items that are stored")]
        case .empty: return [line(.added, "\(name)  none")]
        case nil: break
        }
        if part.part == .mediaURL { return [line(.of(part), name)] }
        if let length = part.characters {
            let values = [length.stored, length.fetched].compactMap { PlainValue.shown($0, of: length.name) }
            return [line(.of(part), "\(name)  \(values.joined(separator: " → ")) characters")]
        }
        let kinds: [(Difference.Change, [Difference.Item])] = [
            (.added, part.added), (.removed, part.removed), (.changed, part.changed),
        ]
        return kinds.filter { !$1.isEmpty }.map { change, items in
            let shown = items.prefix(Self.mostItems).map(item).joined(separator: ", ")
            let rest = items.count > Self.mostItems ? " and \(items.count - Self.mostItems) more" : ""
            return line(change, "\(name)  \(items.count) \(change.rawValue): \(shown)\(rest)")
        }
    }

    private func item(_ item: Difference.Item) -> String {
        let id = item.id.map { PlainValue.word($0) ?? "an id that is not shown" } ?? "without id"
        return item.fields.isEmpty ? id : "\(id) (\(item.fields.map(PlainValue.name).joined(separator: ", ")))"
    }

    private func gap(_ gap: GapChange) -> String {
        let part = PlainValue.name(gap.part)
        let ask = gap.scope.map { ": ask for \($0)" } ?? ""
        switch gap.change {
        case .new: return style.paint("! gap \(part)  \(gap.cause)\(ask)", .yellow) + "\n"
        case .same: return style.paint("= gap \(part)  \(gap.cause), as now\(ask)", .dim) + "\n"
        case .closed: return style.paint("+ gap \(part)  closed; it was \(gap.cause)", .green) + "\n"
        }
    }

    private func line(_ change: Difference.Change, _ text: String) -> String {
        var text = text
        while text.last == " " { text.removeLast() }
        return switch change {
        case .added: style.paint("+ \(text)", .green) + "\n"
        case .removed: style.paint("- \(text)", .red) + "\n"
        case .changed: style.paint("~ \(text)", .yellow) + "\n"
        }
    }
}

extension Difference.Change {
    /// Of a part that has one value.
    fileprivate static func of(_ part: Difference.Part) -> Difference.Change {
        if !part.added.isEmpty { return .added }
        return part.removed.isEmpty ? .changed : .removed
    }
}
