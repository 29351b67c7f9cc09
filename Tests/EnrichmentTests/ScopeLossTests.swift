import Enrichment
import Simulator
import TestKit
import Testing

/// What becomes of stored content whose scope is lost: it stays, unless one must forget it.
@Suite(.serialized) struct ScopeLossTests {
    @Test func everyPartIsForgottenWhereThatIsAskedFor() async throws {
        try await ScopeLab.run { lab in
            lab.world.setToken(
                ScopeLab.token, scopes: ScopeLab.everything.union(["gate:read"]))
            let ids = lab.ids(0..<40)
            let first = try await lab.worker()
            try await lab.insert(ids)
            try await lab.drained()
            try await first.stop()
            // Every part, though some need a scope that no page names.
            try await lab.database.run(
                """
                INSERT INTO scope_denials (credential_name, part, next_probe_at)
                SELECT 'default', p, now() + interval '1 day' FROM unnest(ARRAY['companies', 'contacts', 'owner', 'action_items', 'signals',
                    'transcript', 'media_url', 'tags']) AS p
                """)
            let filled = try await lab.database.count(Self.everything)
            #expect(filled > 0)
            let worker = try await lab.worker { $0.purgesOnScopeLoss = true }
            try await lab.database.wait(for: Self.everything, toBe: "0")
            #expect(
                try await lab.database.count(
                    "SELECT count(*) FROM engagements WHERE _parts <> '{}' OR owner_user_id IS NOT NULL AND NOT _raw ? 'owner_user_id'"
                )
                    == 0)
            #expect(
                try await lab.database.count(
                    "SELECT count(*) FROM engagement_gaps WHERE cause = 'scope_denied' AND last_delivered_at IS NULL")
                    >= 40 * 7)
            #expect(
                try await lab.database.count(
                    "SELECT count(*) FROM crm_associations WHERE subject_type IN ('contact', 'company')") == 0)
            // The engagements themselves, and their own links, are none of these parts.
            #expect(try await lab.database.count("SELECT count(*) FROM engagements WHERE title IS NOT NULL") == 40)

            // Once they can be read again all of it comes back.
            try await lab.database.run("UPDATE scope_denials SET next_probe_at = now()")
            try await lab.database.wait(
                for: "SELECT count(*) FROM engagement_gaps WHERE cause <> 'not_ready'", toBe: "0",
                within: .seconds(120))
            try await lab.drained()
            #expect(try await lab.database.count(Self.everything) == filled)
            try await worker.stop()
        }
    }

    /// Every row that came with a part.
    private static let everything = """
        SELECT (SELECT count(*) FROM engagement_companies) + (SELECT count(*) FROM engagement_contacts)
            + (SELECT count(*) FROM engagement_tags) + (SELECT count(*) FROM engagement_action_items)
            + (SELECT count(*) FROM engagement_signals) + (SELECT count(*) FROM engagement_transcripts WHERE transcript IS NOT NULL)
            + (SELECT count(*) FROM engagement_media WHERE media_url IS NOT NULL) + (SELECT count(*) FROM contacts)
            + (SELECT count(*) FROM companies) + (SELECT count(*) FROM users) + (SELECT count(*) FROM tags)
        """
}
