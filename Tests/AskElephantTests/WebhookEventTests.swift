import AskElephant
import Testing

@Suite struct WebhookEventTests {
    private static let engagement = "ngmt_01JZ0A1B2C3D4E5F6G7H8J9K0M"

    private static func event(_ body: String) -> WebhookEvent? {
        WebhookEvent(messageID: "msg_1", body: Array(body.utf8))
    }

    private static func event(type: String, object: String) -> WebhookEvent? {
        event(#"{"id": "evt_1", "type": "\#(type)", "data": {"object": {"id": "\#(object)"}}}"#)
    }

    /// All event types of contract section 12.1.
    @Test(
        arguments: [
            ("v1.engagement.created", engagement, .enrich), ("v1.engagement.updated", engagement, .enrich),
            ("v1.engagement.transcript_timeline.completed", engagement, .enrich),
            ("v1.engagement.deleted", engagement, .deleted),
            ("v1.contact.created", "cnt_1", .contact), ("v1.contact.updated", "cnt_1", .contact),
            ("v1.contact.deleted", "cnt_1", .contact), ("v1.company.created", "cmp_1", .company),
            ("v1.company.updated", "cmp_1", .company), ("v1.company.deleted", "cmp_1", .company),
            ("v1.tag.created", "tag_1", .tag), ("v1.tag.updated", "tag_1", .tag), ("v1.tag.deleted", "tag_1", .tag),
            ("v2.engagement.updated", engagement, .ignored), ("v1.user.updated", "usr_1", .ignored),
            ("v1.engagement.updated", "no id", .ignored), ("v1.engagement.deleted", "cnt_1", .ignored),
        ] as [(String, String, WebhookEvent.Effect)])
    func eachTypeHasItsEffect(type: String, object: String, effect: WebhookEvent.Effect) {
        #expect(Self.event(type: type, object: object)?.effect == effect)
    }

    @Test func ofTheEnvelopeOnlyPlainTextIsTaken() throws {
        let event = try #require(
            Self.event(
                """
                {"id": "evt_1", "type": "v1.engagement.updated", "api_version": "v1", "created_at": "2026-01-02T03:04:05Z",
                 "workspace_id": "wrks_1", "data": {"object": {"id": "\(Self.engagement)", "title": "secret"},
                 "previous_attributes": {"title": "x"}}}
                """))
        #expect(event.eventID == "evt_1" && event.workspaceID == "wrks_1" && event.objectID == Self.engagement)
        #expect(event.createdAt == "2026-01-02T03:04:05Z")
    }

    /// Only the type and the id matter (U-22).
    @Test(arguments: [
        #"{"type": "v1.engagement.updated", "data": {"object": {"id": "\#(engagement)"}}}"#,
        #"{"id": 7, "type": "v1.engagement.updated", "workspace_id": [], "created_at": {}, "data": {"object": {"id": "\#(engagement)"}, "previous_attributes": null}}"#,
        #"{"id": "evt \u0000 1", "type": "v1.engagement.updated", "created_at": "\n", "data": {"object": {"id": "\#(engagement)"}}}"#,
    ])
    func whatIsOfAnotherTypeIsAbsent(body: String) throws {
        let event = try #require(Self.event(body))
        #expect(event.effect == .enrich && event.eventID == nil && event.workspaceID == nil && event.createdAt == nil)
    }

    @Test(arguments: [
        "{}", #"{"type": null}"#, #"{"type": "v1.engagement.updated"}"#,
        #"{"type": "v1.engagement.updated", "data": []}"#,
        #"{"type": "v1.engagement.updated", "data": {"object": null}}"#,
        #"{"type": "\u0000", "data": {"object": {"id": 1}}}"#,
    ])
    func whatTellsNothingIsIgnored(body: String) {
        #expect(Self.event(body)?.effect == .ignored)
    }

    @Test(arguments: ["", "[]", "7", "null", #""text""#, "{", #"{"id": "evt_1""#, "\u{FEFF}", "{}{}"])
    func whatIsNoObjectIsNoEvent(body: String) {
        #expect(Self.event(body) == nil)
    }
}
