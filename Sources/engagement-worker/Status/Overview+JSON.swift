import Enrichment

extension Overview {
    /// As deploy/README.md describes it: members are only ever added.
    var json: JSONText {
        .object([
            .init(name: "verdict", value: .string(verdict.word.rawValue)),
            .init(name: "why", value: JSONText(verdict.why)),
            .init(name: "next", value: JSONText(verdict.next)),
            .init(
                name: "notes",
                value: .array(verdict.notes.map { ["text": .string($0.text), "next": .string($0.next)] })),
            .init(name: "oldest_due_s", value: oldestDueSeconds.map(JSONText.double) ?? .null),
            .init(name: "last_success_s", value: lastSuccessSeconds.map(JSONText.double) ?? .null),
            .init(name: "workers_alive", value: .integer(workersAlive)),
            .init(name: "engagements", value: JSONText(engagements)),
            .init(name: "queue", value: .array(lanes.map(\.json))),
            .init(name: "reasons", value: .array(reasons.map(\.json))),
            .init(name: "parts", value: .array(parts.map(\.json))),
            .init(name: "gaps", value: .array(gaps.map(\.json))),
            .init(name: "scopes", value: scopes.json), .init(name: "dead_letters", value: dead.json),
            .init(name: "workers", value: workers.json), .init(name: "completeness", value: walks.json),
            .init(name: "minutes", value: .array(minutes.map(\.json))),
            .init(name: "unreadable", value: .array(troubles.map { .string($0) })),
            .init(
                name: "estimated",
                value: .array(Section.allCases.filter(estimated.contains).map { .string($0.rawValue) })),
        ])
    }
}

extension Overview.Lane {
    fileprivate var json: JSONText {
        [
            "lane": .string(name), "due": .integer(due), "oldest_due_s": oldestDueSeconds.map(JSONText.double) ?? .null,
            "in_hand": JSONText(inHand), "waiting": .integer(waiting),
        ]
    }
}

extension Overview.Reason {
    fileprivate var json: JSONText {
        [
            "lane": .string(lane), "reason": JSONText(reason), "due": .integer(due), "in_hand": .integer(inHand),
            "waiting": .integer(waiting),
        ]
    }
}

extension Overview.Part {
    fileprivate var json: JSONText {
        [
            "part": .string(name), "wanted": .integer(wanted), "complete": .integer(complete),
            "age_p50_s": ageMedianSeconds.map(JSONText.double) ?? .null,
            "age_p95_s": ageP95Seconds.map(JSONText.double) ?? .null,
        ]
    }
}

extension Overview.Gap {
    fileprivate var json: JSONText {
        ["part": .string(part), "cause": .string(cause), "scope": JSONText(scope), "n": .integer(count)]
    }
}

extension Overview.Minute {
    fileprivate var json: JSONText {
        [
            "minute": .string(time), "done": JSONText(done), "failed": JSONText(failed),
            "oldest_due_s": oldestDueSeconds.map(JSONText.double) ?? .null,
        ]
    }
}
