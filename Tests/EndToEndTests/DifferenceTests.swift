import AskElephant
import Testing

@testable import engagement_worker

/// What a dry run says of two versions of an engagement.
struct DifferenceTests {
    private func difference(
        _ stored: EngagementSide, _ fetched: EngagementSide, base: Bool = true,
        accepted: Set<Expand> = Set(Expand.allCases), otherVersions: Set<Expand> = []
    ) -> Difference {
        Difference(stored: stored, fetched: fetched, base: base, accepted: accepted, otherVersions: otherVersions)
    }

    private func item(_ id: String?, _ fields: [String: String] = [:]) -> EngagementSide.Item {
        .init(id: id, fields: fields)
    }

    @Test func equalSidesDifferInNothing() {
        let side = EngagementSide(
            fields: ["id": #""ngmt_1""#, "title": "null"],
            parts: [.contacts: [item("c1"), item(nil, ["name": #""x""#])], .tags: [], .mediaURL: [item(nil)]])
        #expect(difference(side, side).isEmpty)
        #expect(difference(side, side, otherVersions: [.mediaURL]).isEmpty)
    }

    @Test func fieldsAreAddedRemovedAndChangedByName() {
        let stored = EngagementSide(fields: ["a": "1", "b": "2", "c": "3"])
        let fetched = EngagementSide(fields: ["d": "4", "b": "20", "c": "3"])
        #expect(
            difference(stored, fetched).fields == [
                .init(name: "a", change: .removed, stored: "1", fetched: nil),
                .init(name: "b", change: .changed, stored: "2", fetched: "20"),
                .init(name: "d", change: .added, stored: nil, fetched: "4"),
            ])
        #expect(difference(stored, fetched, base: false).fields.isEmpty)
    }

    @Test func itemsAreToldApartByTheirIDs() {
        let stored = EngagementSide(parts: [
            .contacts: [item("c1", ["n": "1"]), item("c2", ["n": "2", "m": "2"]), item("c3", ["n": "3"])]
        ])
        let fetched = EngagementSide(parts: [
            .contacts: [item("c4"), item("c3", ["n": "3"]), item("c2", ["n": "0", "k": "2"])]
        ])
        let part = difference(stored, fetched).parts
        #expect(
            part == [
                .init(
                    part: .contacts, added: [.init(id: "c4")], removed: [.init(id: "c1")],
                    changed: [.init(id: "c2", fields: ["k", "m", "n"])])
            ])
        #expect(difference(stored, fetched, accepted: [.companies]).isEmpty)
    }

    @Test func ofARepeatedIDTheLastCounts() {
        let stored = EngagementSide(parts: [.tags: [item("t", ["n": "2"])]])
        let fetched = EngagementSide(parts: [.tags: [item("t", ["n": "1"]), item("t", ["n": "2"])]])
        #expect(difference(stored, fetched).isEmpty)
    }

    /// Two equal action items are two rows, two equal contacts are one link.
    @Test(arguments: [(Expand.actionItems, 1), (.signals, 1), (.contacts, 0), (.companies, 0), (.tags, 0)])
    func itemsWithoutIDAreToldApartByTheirContent(_ part: Expand, _ added: Int) {
        let stored = EngagementSide(parts: [part: [item(nil, ["n": "1"])]])
        let fetched = EngagementSide(parts: [part: [item(nil, ["n": "1"]), item(nil, ["n": "1"])]])
        let parts = difference(stored, fetched).parts
        #expect(parts.map(\.added.count) == (added == 0 ? [] : [added]))
        let other = EngagementSide(parts: [part: [item(nil, ["n": "2"])]])
        #expect(
            difference(stored, other).parts
                == [.init(part: part, added: [.init(id: nil)], removed: [.init(id: nil)])])
    }

    @Test func aTranscriptSaysHowLongItIs() {
        let stored = EngagementSide(parts: [.transcript: [item(nil, ["characters": "10", "content": #""a""#])]])
        let fetched = EngagementSide(parts: [.transcript: [item(nil, ["characters": "20", "content": #""b""#])]])
        let characters = Difference.Field(name: "characters", change: .changed, stored: "10", fetched: "20")
        #expect(
            difference(stored, fetched).parts == [
                .init(
                    part: .transcript, changed: [.init(id: nil, fields: ["characters", "content"])],
                    characters: characters)
            ])
        #expect(difference(stored, EngagementSide()).parts.map(\.removed.count) == [1])
        #expect(difference(EngagementSide(), fetched).parts.map(\.added.count) == [1])
    }

    @Test func aVersionWithTheSameItemsIsNamed() {
        let side = EngagementSide(parts: [.contacts: [item("c1")]])
        #expect(difference(side, side, otherVersions: [.contacts]).parts == [.init(part: .contacts, version: .other)])
        #expect(
            difference(EngagementSide(), EngagementSide(), otherVersions: [.tags]).parts
                == [.init(part: .tags, version: .empty)])
    }

    @Test func gapsAreNewTheSameOrClosed() {
        let changes = GapChange.between(
            ["contacts": "scope_denied", "tags": "not_delivered", "transcript": "not_ready"],
            ["contacts": "scope_denied", "tags": "malformed", "owner": "scope_denied"])
        #expect(
            changes == [
                .init(part: "contacts", cause: "scope_denied", change: .same),
                .init(part: "owner", cause: "scope_denied", change: .new),
                .init(part: "tags", cause: "malformed", change: .new),
                .init(part: "transcript", cause: "not_ready", change: .closed),
            ])
        #expect(changes.map(\.scope) == ["contacts:read", "users:read", nil, nil])
    }

    @Test(arguments: [
        ("processing_status", #""COMPLETED""#, "COMPLETED"),
        ("start_at", #""2026-01-01T00:00:00Z""#, "2026-01-01T00:00:00Z"),
        ("owner_user_id", #""usr_1""#, "usr_1"), ("is_private", "true", "true"), ("anything", "-1.5e3", "-1.5e3"),
        ("anything", "null", "null"),
    ])
    func plainValuesAreShown(_ name: String, _ json: String, _ shown: String) {
        #expect(PlainValue.shown(json, of: name) == shown)
    }

    @Test(arguments: [
        ("title", #""COMPLETED""#), ("description", #""x""#), ("meeting_url", #""https://x""#),
        ("owner_user_id", #""a@people.example""#), ("start_at", #""https://x""#), ("status", #""two words""#),
        ("status", #""\u001b""#), ("emails", #"["a"]"#), ("crm_association", #"{"id": 1}"#),
        ("id", "\"" + String(repeating: "x", count: 100) + "\""), ("n", String(repeating: "1", count: 100)),
    ])
    func otherValuesAreNot(_ name: String, _ json: String) {
        #expect(PlainValue.shown(json, of: name) == nil)
    }
}
