import Enrichment
import Simulator
import TestKit
import Testing

/// What one answer after another makes of a stored engagement.
@Suite(.serialized) struct ChangeTests {
    private let id = "ngmt_Change1"

    /// Equal contacts without an id are one contact, and the link leads to it.
    @Test func aContactWithoutIDIsLinkedToItsRow() async throws {
        try await TruthLab.run { lab in
            let document = TruthDocument("ngmt_NoID1").with([
                "contacts": #"[{"first_name":"A"},{"first_name":"A"},{"id":"cnt_B"}]"#
            ])
            try await lab.enrich(document)
            #expect(
                try await lab.database.value(
                    """
                    SELECT string_agg(coalesce(c.first_name, c.id), ',' ORDER BY c.first_name, c.id)
                    FROM engagement_contacts AS l JOIN contacts AS c ON c.id = l.contact_id
                    """) == "A,cnt_B")
            #expect(try await lab.database.count("SELECT count(*) FROM engagement_contacts") == 2)
        }
    }

    /// What does not fit a child's column is NULL there and named in _issues, and goes from it once it fits.
    @Test func childrensValuesThatDoNotFitAreNamed() async throws {
        try await TruthLab.run { lab in
            let odd = TruthDocument("ngmt_Odd1").with([
                "contacts": #"[{"id":"cnt_1","first_name":{},"emails":"nope"},{"id":"cnt_2","first_name":"B"}]"#,
                "action_items":
                    #"[{"id":"a","due_at":"tomorrow","text":5},{"id":"b","due_at":"2026-02-30T10:00:00Z"}]"#,
                "tags": #"[{"id":"tag_1","auto_tagging_enabled":"yes","created_at":"2026-01-31T10:00:00.5Z"}]"#,
                "owner": #"{"id":"usr_1","role":7}"#,
            ])
            try await lab.enrich(odd)
            let named =
                "SELECT string_agg(i ->> 'field', ' ' ORDER BY i ->> 'field') FROM engagements, jsonb_array_elements(_issues) AS i"
            #expect(
                try await lab.database.value(named)
                    == "action_items.due_at action_items.text contacts.emails contacts.first_name owner.role tags.auto_tagging_enabled"
            )
            #expect(
                try await lab.database.count("SELECT count(*) FROM engagement_action_items WHERE due_at IS NULL") == 2)
            try await lab.enrich(TruthDocument("ngmt_Odd1"))
            #expect(try await lab.database.value(named) == nil)
        }
    }

    /// An answer that names no owner, and was not asked for one, does not erase what is known.
    @Test func anOwnerThatIsNotNamedStays() async throws {
        try await TruthLab.run { lab in
            let unnamed = { (title: String, owner: String?) in
                TruthDocument("ngmt_Owner1", title: title).with(["owner_user_id": nil, "owner": owner])
            }
            try await lab.enrich(unnamed("First", #"{"id":"usr_1"}"#))
            #expect(try await lab.database.value("SELECT owner_user_id FROM engagements") == "usr_1")
            try await lab.enrich(unnamed("Changed", nil))
            #expect(
                try await lab.database.value("SELECT title || ' ' || owner_user_id FROM engagements") == "Changed usr_1"
            )
            try await lab.enrich(unnamed("Changed", "null"))
            #expect(try await lab.database.value("SELECT coalesce(owner_user_id, 'none') FROM engagements") == "none")
        }
    }

    @Test func aRemovedContactsLinkGoes() async throws {
        try await TruthLab.run { lab in
            let document = TruthDocument(id)
            try await lab.enrich(document)
            try await lab.enrich(document.with(["contacts": "[\(TruthDocument.contact("b", id))]"]))
            let links = "SELECT string_agg(contact_id, ',') FROM engagement_contacts"
            #expect(try await lab.database.value(links) == "cnt_b_\(id)")
            // The contact itself stays, other engagements may show it.
            #expect(try await lab.database.count("SELECT count(*) FROM contacts") == 2)
            try await lab.enrich(document.with(["contacts": "[]"]))
            #expect(try await lab.database.count("SELECT count(*) FROM engagement_contacts") == 0)
            #expect(try await lab.database.count("SELECT count(*) FROM engagement_gaps") == 0)
        }
    }

    @Test func aRemovedCRMLinkIsClosedAndOneThatReturnsOpensANewPeriod() async throws {
        try await TruthLab.run { lab in
            let document = TruthDocument(id)
            let without = document.with(["crm_association": nil])
            for answer in [document, without, document] { try await lab.enrich(answer) }
            let periods = """
                SELECT string_agg(CASE WHEN removed_at IS NULL THEN 'open' WHEN last_seen_at IS NULL THEN 'closed unseen'
                                       WHEN removed_at > last_seen_at AND last_seen_at >= first_seen_at THEN 'closed'
                                       ELSE 'out of order' END, ',' ORDER BY id)
                FROM crm_associations WHERE subject_type = 'engagement' AND crm_object_id = 'deal-1'
                """
            #expect(try await lab.database.value(periods) == "closed,open")
            let other = #"{"crm_object_id":"deal-2","object_type":"deal","source":"hubspot"}"#
            try await lab.enrich(document.with(["crm_association": other]))
            #expect(try await lab.database.value(periods) == "closed,closed")
            let open = "SELECT string_agg(crm_object_id, ',') FROM crm_associations WHERE removed_at IS NULL"
            #expect(try await lab.database.value(open) == "deal-2")
        }
    }

    @Test(arguments: TruthDocument.parts)
    func aPartThatIsLeftOutKeepsItsRowsAndHasAGap(_ part: String) async throws {
        try await TruthLab.run { lab in
            let document = TruthDocument(id)
            try await lab.enrich(document)
            let before = try await contents(lab.database)
            try await lab.enrich(document.with([part: nil]), reason: "left out")
            #expect(try await lab.outcomes(of: "left out", count: 1) == ["partial": 1])
            #expect(try await contents(lab.database) == before)
            #expect(try await gaps(lab.database) == "\(part) not_delivered")
            let since = "SELECT last_delivered_at IS NOT NULL FROM engagement_gaps"
            #expect(try await lab.database.value(since) == "t")
            try await lab.enrich(document, reason: "back")
            #expect(try await gaps(lab.database) == nil)
            #expect(try await contents(lab.database) == before)
        }
    }

    @Test func aScopeThatOnlyLeavesThePartOutCostsOnlyThatPart() async throws {
        try await TruthLab.run { lab in
            lab.world.setSwitches { $0.missingExpandScope = .leaveOut }
            let id = try #require((0..<100).map(lab.world.id).first { lab.world.truth($0).contacts.count > 1 })
            try await lab.enrich([id])
            lab.world.revoke(SimScope.contacts)
            lab.world.bump(id)
            let before = try await contents(lab.database)
            try await lab.enrich([id])
            #expect(try await gaps(lab.database)?.contains("contacts not_delivered") == true)
            #expect(try await contents(lab.database)?.prefix(20) == before?.prefix(20))
            #expect(try await lab.database.value("SELECT scope FROM engagement_gaps") == "contacts:read")
            lab.world.grant(SimScope.contacts)
            try await lab.enrich([id])
            let differences = try await TruthComparison([lab.world.truth(id)], beside: .history)
                .differences(in: lab.database)
            #expect(differences.isEmpty, "\(differences)")
        }
    }

    @Test(arguments: ["companies", "contacts", "action_items", "signals", "tags"])
    func aNullListIsNotAnAnswer(_ part: String) async throws {
        try await expectKept(part, "null", "not_delivered")
    }

    @Test(arguments: [
        ("companies", "{}"), ("contacts", #""none""#), ("contacts", "{}"), ("contacts", "0"), ("contacts", "[1]"),
        ("contacts", #"[{"id":"cnt_new"},null]"#), ("owner", "[]"), ("owner", "7"), ("owner", #""usr_1""#),
        ("action_items", "true"), ("action_items", "[[]]"), ("signals", "{}"), ("signals", #"["x"]"#),
        ("transcript", "{}"), ("transcript", "7"), ("transcript", "[]"), ("transcript", "true"),
        ("transcript", "false"),
        ("media_url", "{}"), ("media_url", "true"), ("tags", "{}"), ("tags", #"[{"id":"tag_new"},"x"]"#),
    ])
    func aPartOfTheWrongTypeIsMalformedAndItsRowsAreKept(_ part: String, _ json: String) async throws {
        try await expectKept(part, json, "malformed")
    }

    @Test func anOwnerOfNullIsNone() async throws {
        try await TruthLab.run { lab in
            try await lab.enrich(TruthDocument(id))
            try await lab.enrich(
                TruthDocument(id, updatedAt: "2026-03-01T11:00:00Z").with(["owner": "null", "owner_user_id": nil]))
            #expect(try await lab.database.value("SELECT owner_user_id FROM engagements") == nil)
            #expect(try await gaps(lab.database) == nil)
        }
    }

    @Test func aNullTranscriptReplacesAStoredOneOnlyIfNewerAndFinal() async throws {
        try await TruthLab.run { lab in
            let document = TruthDocument(id)
            let stored = "SELECT transcript FROM engagement_transcripts"
            try await lab.enrich(document)

            let unfinished = ["transcript": "null", "processing_status": #""PROCESSING""#]
            try await lab.enrich(TruthDocument(id, updatedAt: "2026-03-01T11:00:00Z").with(unfinished))
            #expect(try await lab.database.value(stored) == "Ann: hello")
            #expect(try await gaps(lab.database) == "transcript not_ready")

            let final = TruthDocument(id, updatedAt: "2026-03-01T12:00:00Z").with(["transcript": "null"])
            try await lab.enrich(final)
            #expect(try await lab.database.value(stored) == nil)
            #expect(try await gaps(lab.database) == nil)
        }
    }

    @Test func aNullTranscriptOfTheSameVersionKeepsTheStoredOne() async throws {
        try await TruthLab.run { lab in
            try await lab.enrich(TruthDocument(id))
            try await lab.enrich(TruthDocument(id).with(["transcript": "null"]))
            #expect(try await lab.database.value("SELECT transcript FROM engagement_transcripts") == "Ann: hello")
        }
    }

    @Test func aMediaURLOfNullIsCleared() async throws {
        try await TruthLab.run { lab in
            let urls = "SELECT count(*) FROM engagement_media WHERE media_url IS NOT NULL"
            try await lab.enrich(TruthDocument(id))
            #expect(try await lab.database.count(urls) == 1)
            try await lab.enrich(TruthDocument(id).with(["media_url": "null"]), reason: "without")
            #expect(try await lab.database.count(urls) == 0)
            #expect(try await gaps(lab.database) == nil)
            try await lab.enrich(TruthDocument(id), reason: "new")
            #expect(try await lab.outcomes(of: "new", count: 1) == ["unchanged": 1])
            #expect(try await lab.database.count(urls) == 1)
        }
    }

    // MARK: -

    private func expectKept(_ part: String, _ json: String, _ cause: String) async throws {
        try await TruthLab.run { lab in
            try await lab.enrich(TruthDocument(id))
            let before = try await contents(lab.database)
            try await lab.enrich(
                TruthDocument(id, title: "Second", updatedAt: "2026-03-01T11:00:00Z").with([part: json]))
            #expect(try await contents(lab.database) == before)
            #expect(try await gaps(lab.database) == "\(part) \(cause)")
            #expect(try await lab.database.value("SELECT title FROM engagements") == "Second")
        }
    }

    private func gaps(_ database: TestDatabase) async throws -> String? {
        try await database.value("SELECT string_agg(part || ' ' || cause, ',' ORDER BY part) FROM engagement_gaps")
    }

    /// The keys of all children of all engagements, contacts first.
    private func contents(_ database: TestDatabase) async throws -> String? {
        try await database.value(
            """
            SELECT concat_ws(';', (SELECT string_agg(contact_id, ',' ORDER BY contact_id) FROM engagement_contacts),
                (SELECT string_agg(company_id, ',' ORDER BY company_id) FROM engagement_companies),
                (SELECT string_agg(tag_id, ',' ORDER BY tag_id) FROM engagement_tags),
                (SELECT string_agg(id, ',' ORDER BY id) FROM engagement_action_items),
                (SELECT string_agg(id, ',' ORDER BY id) FROM engagement_signals),
                (SELECT string_agg(transcript, ',') FROM engagement_transcripts),
                (SELECT string_agg(media_url, ',') FROM engagement_media),
                (SELECT string_agg(owner_user_id, ',') FROM engagements))
            """
        )
    }
}
