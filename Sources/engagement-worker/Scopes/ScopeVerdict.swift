import Postgres

/// Whether a part can be read, and how that is known.
struct ScopeVerdict: Equatable, Sendable {
    /// Counts stop above.
    static let highestCount: Int64 = 10_000

    var part: String
    /// Nil where the part is refused for a reason that no page names.
    var scope: String?
    var verdict: String
    /// An engagement.
    var evidence: String?
    var requestID: String?
    var firstSeenAt: String?
    var lastSeenAt: String?
    var nextProbeAt: String?
    /// How many engagements lack the part.
    var lacking: Int64?

    static func table(_ verdicts: [ScopeVerdict]) -> Table {
        var table = Table(
            "part", "scope", "verdict", "evidence", "request_id", "first_seen", "last_seen", "next_probe", "lacking")
        for one in verdicts {
            let lacking = one.lacking.map { $0 > highestCount ? "10,000+" : "\($0)" }
            table.add([
                one.part, one.scope ?? "not documented", one.verdict, one.evidence, one.requestID, one.firstSeenAt,
                one.lastSeenAt, one.nextProbeAt, lacking,
            ])
        }
        return table
    }

    var json: JSONText {
        .object([
            .init(name: "part", value: .string(part)), .init(name: "scope", value: JSONText(scope)),
            .init(name: "verdict", value: .string(verdict)), .init(name: "evidence", value: JSONText(evidence)),
            .init(name: "request_id", value: JSONText(requestID)),
            .init(name: "first_seen_at", value: JSONText(firstSeenAt)),
            .init(name: "last_seen_at", value: JSONText(lastSeenAt)),
            .init(name: "next_probe_at", value: JSONText(nextProbeAt)),
            .init(name: "lacking", value: JSONText(lacking.map { min($0, Self.highestCount) })),
            .init(name: "lacking_is_more", value: .boolean((lacking ?? 0) > Self.highestCount)),
        ])
    }
}

extension ScopeVerdict {
    init(_ row: Row) throws {
        part = try row.text("part")
        verdict = try row.text("verdict")
        scope = try row.textIfPresent("scope")
        evidence = try row.textIfPresent("evidence")
        requestID = try row.textIfPresent("request_id")
        firstSeenAt = try row.textIfPresent("first_seen_at")
        lastSeenAt = try row.textIfPresent("last_seen_at")
        nextProbeAt = try row.textIfPresent("next_probe_at")
        lacking = try row.integerIfPresent("lacking")
    }
}
