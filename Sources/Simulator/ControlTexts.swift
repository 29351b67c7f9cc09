import Synchronization

/// What the control endpoint shows of the world.
extension World {
    var stateText: String {
        state.withLock { state in
            var writer = JSONWriter()
            writer.object { writer in
                writer.key("switches")
                writer.object { writer in
                    for named in NamedSwitch.all { writer.member(named.name, named.value(in: state.switches)) }
                }
                state.writeTokens(&writer)
                state.writeEngagements(&writer)
                writer.member("latency_milliseconds", state.latency.wholeMilliseconds)
                writer.key("rate_limit_per_second")
                if let limit = state.rate.perSecond { writer.integer(limit) } else { writer.null() }
                writer.member("requests", state.journal.total)
            }
            return writer.text
        }
    }

    /// Of the requests that the journal still has; `open` are those without an answer yet.
    var journalText: String {
        let entries = requests
        let byPath = Dictionary(grouping: entries, by: \.path)
        var writer = JSONWriter()
        writer.object { writer in
            writer.member("requests", entries.count)
            writer.statuses(entries)
            writer.key("paths")
            writer.object { writer in
                for (path, entries) in byPath.sorted(by: { $0.key < $1.key }) {
                    writer.key(path)
                    writer.object { writer in
                        writer.member("requests", entries.count)
                        writer.statuses(entries)
                    }
                }
            }
        }
        return writer.text
    }
}

extension World.State {
    fileprivate func writeTokens(_ writer: inout JSONWriter) {
        writer.list("tokens", access.tokens.sorted { $0.key < $1.key }) { writer, token in
            writer.object { writer in
                writer.member("token", token.key)
                writer.member("valid", !access.invalid.contains(token.key))
                writer.list("scopes", token.value.sorted()) { $0.string($1) }
            }
        }
    }

    fileprivate func writeEngagements(_ writer: inout JSONWriter) {
        let unusual: [(String, (EngagementState) -> Bool)] = [
            ("private", \.isPrivate), ("missing", { $0.existence == .missing }), ("gone", { $0.existence == .gone }),
            ("unfinished", { $0.isFinished == false }),
        ]
        for (name, isSo) in unusual {
            writer.list(name, engagements.filter { isSo($0.value) }.keys.sorted()) { $0.string($1) }
        }
    }
}

extension JournalEntry {
    /// Without the version's prefix; the API has no third route.
    fileprivate var path: String {
        if isList { return "/engagements" }
        return id.map { Identifier.isEngagement($0) ? "/engagements/\($0)" : "other" } ?? "other"
    }
}

extension JSONWriter {
    fileprivate mutating func statuses(_ entries: [JournalEntry]) {
        let counts = Dictionary(grouping: entries) { $0.status.map(String.init) ?? "open" }.mapValues(\.count)
        key("statuses")
        object { writer in
            for (status, count) in counts.sorted(by: { $0.key < $1.key }) { writer.member(status, count) }
        }
    }
}

extension Duration {
    fileprivate var wholeMilliseconds: Int {
        Int(components.seconds * 1_000 + components.attoseconds / 1_000_000_000_000_000)
    }
}
