import Postgres
import Simulator
import TestKit
import Testing

/// The comparison that other tests trust sees whatever differs from the truth.
struct TruthComparisonTests {
    private static let changes = [
        "UPDATE engagements SET title = title || '.' WHERE id = $id",
        "UPDATE engagements SET duration_seconds = duration_seconds + 1 WHERE id = $id",
        "DELETE FROM engagements WHERE id = $id",
        "INSERT INTO engagement_contacts VALUES ($id, 'cnt_TooMany')",
        "DELETE FROM engagement_contacts WHERE engagement_id = $id",
        "INSERT INTO engagement_tags SELECT $id, 'tag_TooMany'",
        "DELETE FROM engagement_companies WHERE engagement_id = $id",
        """
        INSERT INTO engagement_signals (engagement_id, id, _position, _raw, _first_seen_at)
        VALUES ($id, 'TooMany', 99, '{}', now())
        """,
        "UPDATE engagement_signals SET name = 'x' || coalesce(name, '') WHERE engagement_id = $id AND _position = 1",
        "DELETE FROM engagement_action_items WHERE engagement_id = $id AND _position = 1",
        "UPDATE engagement_transcripts SET transcript = transcript || ' ' WHERE engagement_id = $id",
        "UPDATE engagement_media SET media_url = 'https://elsewhere.example/' WHERE engagement_id = $id",
        "INSERT INTO engagement_gaps (engagement_id, part, cause) VALUES ($id, 'tags', 'scope_denied')",
        "UPDATE contacts SET first_name = 'x' WHERE id = (SELECT min(contact_id) FROM engagement_contacts WHERE engagement_id = $id)",
        "DELETE FROM companies WHERE id = (SELECT min(company_id) FROM engagement_companies WHERE engagement_id = $id)",
        "UPDATE crm_associations SET removed_at = now() WHERE subject_type = 'engagement' AND subject_id = $id",
        "UPDATE crm_associations SET source = 'x' WHERE subject_type = 'engagement' AND subject_id = $id",
    ]

    @Test(arguments: [TruthComparison.Beside.nothing, .others])
    func whateverDiffersIsSeen(_ beside: TruthComparison.Beside) async throws {
        var settings = SimulatorSettings()
        settings.children = 2...3
        settings.unfinishedPercent = 0
        try await TruthLab.run(settings: settings) { lab in
            let ids = (0..<40).map { lab.world.id($0) }
            try await lab.enrich(ids)
            // One that has something of everything.
            let full = try #require(
                ids.map(lab.world.truth).first {
                    $0.transcript != nil && $0.mediaURL != nil && $0.crmAssociation != nil && $0.durationSeconds != nil
                })
            let truth = beside == .nothing ? ids.map(lab.world.truth) : [full]
            let comparison = TruthComparison(truth, beside: beside)
            #expect(try await comparison.differences(in: lab.database) == [])
            let session = try await lab.database.connect()
            for change in Self.changes {
                let sql = change.replacing("$id", with: "'\(full.id)'")
                try await session.run(script: "BEGIN; \(sql)", name: "change")
                let differences = try await comparison.differences {
                    try await session.run(script: $0, name: "look")
                }
                #expect(!differences.isEmpty, "\(change)")
                try await session.run(script: "ROLLBACK", name: "undo")
            }
            await session.close()
        }
    }
}
