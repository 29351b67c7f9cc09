import AskElephant
import Enrichment
import Simulator
import TestKit
import Testing

/// Requests that ask whether anything changed (`--conditional`): what did not costs no write, what did is never missed, and
/// no tag is named that is of something else.
struct ConditionalTests {
    private static let parts = Expand.allCases.filter { $0 != .mediaURL }
    private static let settings: SimulatorSettings = {
        var settings = SimulatorSettings()
        settings.unfinishedPercent = 0
        settings.children = 1...3
        // Hardly an entity is in two engagements, one of which may show it otherwise.
        settings.contactPool = 10_000_000
        settings.companyPool = 10_000_000
        settings.userPool = 10_000_000
        settings.tagPool = 10_000_000
        return settings
    }()

    private func run(
        _ honouring: String = "honoured", parts: [Expand] = Self.parts, _ test: (TruthLab) async throws -> Void
    ) async throws {
        let change = { (configuration: inout Worker.Configuration) in
            configuration.isConditional = true
            configuration.expand = parts
        }
        try await TruthLab.run(settings: Self.settings, change: change) { lab in
            try lab.world.setSwitch("conditional_get", to: honouring)
            try await test(lab)
        }
    }

    /// Everything that is stored of all engagements, without when they were observed.
    private func content(_ lab: TruthLab) async throws -> String? {
        try await lab.database.value(
            """
            SELECT md5((SELECT string_agg((to_jsonb(e) - '_observed_at' - '_parts')::text, '|' ORDER BY e.id) FROM engagements AS e)
                || (SELECT string_agg(c::text || c.xmin::text, '|' ORDER BY c::text) FROM engagement_contacts AS c)
                || (SELECT string_agg(c::text || c.xmin::text, '|' ORDER BY c::text) FROM contacts AS c)
                || (SELECT string_agg(t::text || t.xmin::text, '|' ORDER BY t::text) FROM engagement_action_items AS t)
                || (SELECT string_agg(t::text || t.xmin::text, '|' ORDER BY t::text) FROM engagement_transcripts AS t))
            """)
    }

    /// As if everything that is stored of entities were from an hour before: what is fresh may still be written otherwise by an
    /// answer that is late, so a tag is not trusted then.
    private func age(_ lab: TruthLab) async throws {
        for table in ["companies", "contacts", "tags", "users"] {
            try await lab.database.run("UPDATE \(table) SET _observed_at = _observed_at - interval '1 hour'")
        }
    }

    private func statuses(_ lab: TruthLab) -> [Int?] { lab.world.requests.map(\.status) }

    @Test func whatDidNotChangeIsObservedAndNothingElse() async throws {
        try await run { lab in
            let ids = (0..<20).map { lab.world.id($0) }
            try await lab.enrich(ids, reason: "first")
            try await age(lab)
            let before = try await content(lab)
            let observed = try await lab.database.value("SELECT max(_observed_at)::text FROM engagements") ?? ""
            lab.world.clearJournal()
            try await lab.enrich(ids, reason: "again")
            #expect(statuses(lab) == Array(repeating: 304, count: 20))
            #expect(try await lab.outcomes(of: "again", count: 20) == ["unchanged": 20])
            #expect(try await content(lab) == before)
            #expect(
                try await lab.database.count("SELECT count(*) FROM engagements WHERE _observed_at > '\(observed)'")
                    == 20)
            let done = lab.worker.log.records(of: .jobDone).filter { $0.fields[.reason] == .string("again") }
            #expect(done.allSatisfy { $0.fields[.httpStatus] == .integer(304) })
        }
    }

    @Test func whatChangedIsStored() async throws {
        try await run { lab in
            let ids = (0..<4).map { lab.world.id($0) }
            try await lab.enrich(ids)
            try await age(lab)
            lab.world.bump(ids[1])
            lab.world.clearJournal()
            try await lab.enrich(ids)
            #expect(statuses(lab).compactMap(\.self).sorted() == [200, 304, 304, 304])
            let differences = try await TruthComparison(ids.map(lab.world.truth), beside: .history)
                .differences(in: lab.database)
            // Media was not asked for.
            let others = differences.filter { !"\($0)".contains("media") && !"\($0)".contains("_parts") }
            #expect(others.isEmpty, "\(others)")
        }
    }

    @Test func anAPIThatDoesNotKnowOfItIsReadAsEver() async throws {
        try await run("ignored") { lab in
            try await lab.enrich([lab.world.id(0)])
            try await lab.enrich([lab.world.id(0)], reason: "again")
            #expect(statuses(lab) == [200, 200])
            #expect(try await lab.outcomes(of: "again", count: 1) == ["unchanged": 1])
        }
    }

    /// What was stored with other parts says nothing of these.
    @Test func aTagOfOtherPartsIsNotNamed() async throws {
        try await run(parts: [.contacts]) { lab in
            let id = lab.world.id(0)
            try await lab.enrich([id])
            try await lab.database.run("UPDATE engagements SET _etag_parts = '{contacts,tags}'")
            try await age(lab)
            try await lab.enrich([id])
            #expect(statuses(lab) == [200, 200])
            // The answer has put that right.
            try await lab.enrich([id])
            #expect(statuses(lab) == [200, 200, 304])
        }
    }

    /// Hidden, deleted, lacking something, in progress, or with an entity that another engagement showed since: fetched.
    @Test(arguments: [
        "UPDATE engagements SET _unreadable_since = now() - interval '1 day', _unreadable_cause = 'private'",
        "UPDATE engagements SET _deleted_at = _observed_at",
        "UPDATE engagements SET processing_status = 'PROCESSING'",
        "UPDATE engagements SET _etag = NULL",
        "UPDATE contacts SET _observed_at = clock_timestamp()",
        "DELETE FROM companies",
        "INSERT INTO engagement_gaps (engagement_id, part, cause) SELECT id, 'tags', 'not_delivered' FROM engagements",
    ]) func whatIsNotWholeIsFetched(change: String) async throws {
        try await run { lab in
            let id = lab.world.id(0)
            try await lab.enrich([id])
            try await age(lab)
            try await lab.database.run(change)
            try await lab.enrich([id])
            #expect(statuses(lab) == [200, 200])
        }
    }

    /// Its gap is due to be filled, or there is none: a 304 would leave it so for ever.
    @Test(arguments: [
        "UPDATE engagement_gaps SET _queued_at = now()", "DELETE FROM engagement_gaps",
        "UPDATE engagement_gaps SET part = 'owner'",
    ]) func aGapThatIsNotAsItShouldBeIsFetched(change: String) async throws {
        try await run { lab in
            let id = lab.world.id(0)
            lab.world.revoke("contacts:read")
            try await lab.enrich([id])
            try await age(lab)
            try await lab.database.run(change)
            lab.world.clearJournal()
            try await lab.enrich([id])
            // Whoever asks first, this job or a refill of the gap of a part that no scope denies, is not to be told 304.
            #expect(statuses(lab).first == 200)
            #expect(try await lab.database.value("SELECT string_agg(part, ',') FROM engagement_gaps") == "contacts")
        }
    }

    /// What was purged with its scope is fetched when that is back, though the tag is of a time when it was here.
    @Test func aPurgedPartComesBack() async throws {
        try await run { lab in
            let id = lab.world.id(0)
            try await lab.enrich([id])
            try await age(lab)
            try await lab.database.run(
                """
                INSERT INTO scope_denials (credential_name, part) VALUES ('default', 'contacts');
                SELECT purge_part('default', 'contacts', '', 100);
                DELETE FROM scope_denials
                """)
            #expect(try await lab.database.count("SELECT count(*) FROM engagement_contacts") == 0)
            try await lab.enrich([id])
            #expect(statuses(lab) == [200, 200])
            #expect(try await lab.database.count("SELECT count(*) FROM engagement_contacts") > 0)
        }
    }

    @Test func aDeniedPartIsNoneOfItsTag() async throws {
        try await run { lab in
            let id = lab.world.id(0)
            lab.world.revoke("contacts:read")
            try await lab.enrich([id], reason: "first")
            try await age(lab)
            lab.world.clearJournal()
            try await lab.enrich([id], reason: "again")
            #expect(statuses(lab) == [304])
            #expect(try await lab.outcomes(of: "again", count: 1) == ["partial": 1])
            #expect(lab.world.requests.allSatisfy { !$0.parts.contains(.contacts) })
            #expect(try await lab.database.count("SELECT count(*) FROM engagement_gaps WHERE part = 'contacts'") == 1)
            lab.world.grant("contacts:read")
            try await lab.database.run("UPDATE scope_denials SET next_probe_at = now()")
            try await lab.database.wait(for: "SELECT count(*) FROM engagement_gaps", toBe: "0")
            #expect(try await lab.database.count("SELECT count(*) FROM engagement_contacts") > 0)
        }
    }

    /// The stored row changes while the question is out: the answer is of the old one, so it is asked again.
    @Test(arguments: ["UPDATE engagements SET _etag = '\"another\"'", "DELETE FROM engagements"])
    func anAnswerAboutWhatIsStoredNoMoreIsNotTaken(change: String) async throws {
        try await run { lab in
            let id = lab.world.id(0)
            try await lab.enrich([id])
            try await age(lab)
            lab.world.clearJournal()
            lab.world.hold(id)
            try await lab.enqueue([id], reason: "again")
            try await lab.world.waitForRequest(id)
            try await lab.database.run(change)
            lab.world.releaseHold(id)
            try await lab.settled()
            #expect(statuses(lab) == [304, 200])
            let outcomes = try await lab.outcomes(of: "again", count: 2)
            #expect(outcomes["released"] == 1)
            #expect(try await lab.database.count("SELECT count(*) FROM engagements") == 1)
        }
    }

    /// An older answer that comes after the confirmation was outdated when that was given.
    @Test func anOlderAnswerDoesNotWinAgainstAConfirmation() async throws {
        try await TruthWriter.run { database, writer in
            let id = "ngmt_Confirmed1"
            func at(_ time: String) -> String { "2026-03-01 \(time):00+00" }
            var document = TruthDocument(id, title: "Stored", updatedAt: "2026-03-01T10:00:00Z")
            document["contacts"] = "[\(TruthDocument.contact("a", id))]"
            try await writer.write(document, observed: at("12:00"))
            try await database.run("UPDATE engagements SET _etag = 'x', _etag_parts = '{contacts,tags}'")
            let confirmed = try await writer.confirm(
                id, etag: "x", asked: ["contacts", "tags"], observed: at("12:20"))
            #expect(confirmed == .init(outcome: "unchanged"))
            var late = TruthDocument(id, title: "Late", updatedAt: "2026-03-01T10:00:00Z")
            late["contacts"] = "[\(TruthDocument.contact("b", id))]"
            try await writer.write(late, observed: at("12:10"))
            #expect(try await database.value("SELECT title FROM engagements") == "Stored")
            #expect(
                try await database.value("SELECT string_agg(contact_id, ',') FROM engagement_contacts")
                    == "cnt_a_\(id)")
            #expect(
                try await database.value("SELECT (_observed_at = '\(at("12:20"))')::text FROM engagements") == "true")
        }
    }
}
