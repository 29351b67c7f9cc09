import Postgres
import TestKit
import Testing

/// The views for people, on rows that are written here.
struct ViewTests {
    private func withEngagements(_ test: (TestDatabase) async throws -> Void) async throws {
        try await withTestDatabase { database in
            try await database.run(
                """
                INSERT INTO users (id, first_name, last_name, primary_email, _raw, _observed_at)
                VALUES ('user_1', 'Ada', 'L', 'ada@example.com', '{}', now());
                INSERT INTO engagements (id, title, owner_user_id, host_user_id, start_at, engagement_at, created_at, _observed_at, _changed_at)
                VALUES ('ngmt_whole', 'a', 'user_1', 'user_2', '2026-03-03Z', '2026-02-02Z', '2026-01-01Z', '2026-04-01Z', '2026-04-02Z'),
                       ('ngmt_gaps', 'b', NULL, NULL, NULL, '2026-02-02Z', '2026-01-01Z', '2026-04-01Z', '2026-04-03Z'),
                       ('ngmt_bare', 'c', NULL, NULL, NULL, NULL, '2026-01-01Z', '2026-04-01Z', '2026-04-04Z');
                INSERT INTO engagements (id, _observed_at, _deleted_at) VALUES ('ngmt_gone', now(), now());
                INSERT INTO engagements (id, _observed_at, _unreadable_since, _unreadable_cause) VALUES ('ngmt_hidden', now(), now(), 'private');
                INSERT INTO engagement_gaps (engagement_id, part, cause, scope, last_delivered_at, request_id) VALUES
                    ('ngmt_gaps', 'contacts', 'scope_denied', 'contacts:read', NULL, NULL),
                    ('ngmt_gaps', 'owner', 'not_delivered', 'users:read', '2026-01-05 10:30Z', NULL),
                    ('ngmt_gaps', 'transcript', 'not_ready', NULL, NULL, NULL),
                    ('ngmt_gaps', 'tags', 'malformed', NULL, NULL, 'rid_9')
                """)
            try await test(database)
        }
    }

    @Test func engagementsLiveShowsWhatExistsAndCanBeRead() async throws {
        try await withEngagements { database in
            let rows = try await database.run(
                """
                SELECT id, occurred_at::date::text AS day, owner_first_name, owner_email, host_first_name, is_complete,
                       array_to_string(missing_parts, ',') AS missing
                FROM engagements_live ORDER BY id
                """)
            #expect(try rows.map { try $0.text("id") } == ["ngmt_bare", "ngmt_gaps", "ngmt_whole"])
            #expect(try rows.map { try $0.text("day") } == ["2026-01-01", "2026-02-02", "2026-03-03"])
            #expect(try rows.map { try $0.boolean("is_complete") } == [true, false, true])
            #expect(try rows[1].text("missing") == "contacts,owner,tags,transcript")
            #expect(try rows[2].text("owner_first_name") == "Ada" && rows[2].text("owner_email") == "ada@example.com")
            #expect(try rows[2].textIfPresent("host_first_name") == nil, "a host that was never seen as owner")
        }
    }

    @Test func missingPartsAreSentencesThatSayWhatToDo() async throws {
        try await withEngagements { database in
            try await database.run(
                """
                INSERT INTO dead_letters (key, engagement_id, cause, error) VALUES
                    ('queue:1', repeat('x', 1000000), 'invalid_id', NULL), ('ngmt_nf', 'ngmt_nf', 'not_found', NULL),
                    ('ngmt_pr', 'ngmt_pr', 'private', NULL), ('ngmt_fo', 'ngmt_fo', 'forbidden', NULL),
                    ('ngmt_api', 'ngmt_api', 'api', 'status 503'), ('queue:2', NULL, 'invalid_id', NULL),
                    ('ngmt_whole', 'ngmt_whole', 'api', NULL)
                """)
            let gaps = try await sentences(database, "WHERE part IS NOT NULL ORDER BY part")
            #expect(
                gaps == [
                    "contacts cannot be read: the token lacks contacts:read. Grant it; the part then fills in by itself.",
                    "owner was asked for and not in the answer; perhaps the token lacks users:read. Once answers bring it, it fills in by itself."
                        + " What is stored is from 2026-01-05 10:30 UTC.",
                    "tags came in a form that cannot be read (request rid_9). Ask the vendor.",
                    "transcript was not ready at the source, and we look no more."
                        + " To look again run: engagement-worker enqueue ngmt_gaps",
                ])
            let dead = try await sentences(database, "WHERE part IS NULL ORDER BY engagement_id")
            #expect(dead.count == 6, "an id that became a row is not missing")
            let (wrong, others) = (
                dead.filter { $0.contains("not an engagement id") },
                dead.filter { !$0.contains("not an engagement id") }
            )
            #expect(wrong.count == 2 && wrong.allSatisfy { !$0.contains("dead replay") }, "repeating cannot mend an id")
            for sentence in others { #expect(sentence.contains("engagement-worker dead replay ")) }
            #expect(
                dead[0] == "It could not be enriched (status 503). Then run: engagement-worker dead replay ngmt_api")
            #expect(dead.contains { $0.contains("engagements:private:read") })
            #expect(try await database.count("SELECT max(length(engagement_id)) FROM missing_parts") == 100)
            #expect(try await database.count("SELECT count(*) FROM missing_parts WHERE explanation IS NULL") == 0)
        }
    }

    private func sentences(_ database: TestDatabase, _ rest: String) async throws -> [String] {
        try await database.run("SELECT explanation FROM missing_parts \(rest)").map { try $0.text("explanation") }
    }

    @Test func everyGapHasASentenceEvenWithoutScopeOrRequest() async throws {
        try await withEngagements { database in
            try await database.run("UPDATE engagement_gaps SET scope = NULL, request_id = NULL")
            #expect(try await database.count("SELECT count(*) FROM missing_parts WHERE explanation IS NULL") == 0)
        }
    }

    @Test func crmLinksComeFromAllSubjectsAndJoinBySalesforcesFifteen() async throws {
        try await withEngagements { database in
            try await database.run(
                """
                INSERT INTO companies (id, _raw, _observed_at) VALUES ('co_1', '{}', '2026-02-01Z');
                INSERT INTO contacts (id, _raw, _observed_at) VALUES ('ct_1', '{}', '2026-03-01Z');
                INSERT INTO engagement_companies VALUES ('ngmt_whole', 'co_1');
                INSERT INTO engagement_contacts VALUES ('ngmt_whole', 'ct_1');
                INSERT INTO crm_associations (subject_type, subject_id, source, object_type, crm_object_id, first_seen_at, removed_at) VALUES
                    ('engagement', 'ngmt_whole', 'SALESFORCE', 'Opportunity', '006Dn00000AbCdEIAV', now(), NULL),
                    ('company', 'co_1', 'Salesforce', 'Account', '001Dn00000AbCdE', now(), NULL),
                    ('contact', 'ct_1', 'HUBSPOT', 'contact', '123456789012345678', now(), NULL),
                    ('contact', 'ct_1', NULL, NULL, 'abc', now(), NULL),
                    ('contact', 'ct_1', 'salesforce', 'Contact', '003Dn00000AbCdE-AV', now(), NULL),
                    ('engagement', 'ngmt_whole', 'SALESFORCE', 'Opportunity', '006Dn00000GONEEIAV', now(), now()),
                    ('company', 'co_other', 'SALESFORCE', 'Account', '001Dn00000OtherIAV', now(), NULL)
                """)
            let rows = try await database.run(
                """
                SELECT engagement_id, path, crm_object_id, crm_object_key, as_of::date::text AS as_of FROM engagement_crm_links
                ORDER BY path, crm_object_id COLLATE "C"
                """)
            #expect(
                try rows.map { try "\($0.text("path")) \($0.text("crm_object_key")) \($0.text("as_of"))" } == [
                    "company 001Dn00000AbCdE 2026-02-01",
                    "contact 003Dn00000AbCdE-AV 2026-03-01",
                    "contact 123456789012345678 2026-03-01",
                    "contact abc 2026-03-01",
                    "engagement 006Dn00000AbCdE 2026-04-01",
                ])
        }
    }

    @Test func freshnessCountsEngagementsAndTheirParts() async throws {
        try await withEngagements { database in
            try await database.run(
                """
                UPDATE engagements SET _parts = jsonb_build_object('contacts', jsonb_build_object('o', now() - interval '2 hours'))
                WHERE id IN ('ngmt_whole', 'ngmt_gone')
                """)
            let rows = try await database.run(
                "SELECT part, engagements, age_p50 BETWEEN '2 hours' AND '3 hours' AS two, age_max >= age_p95 AS ok FROM freshness ORDER BY part"
            )
            #expect(try rows.map { try $0.text("part") } == ["contacts", "engagement"])
            #expect(try rows.map { try $0.integer("engagements") } == [1, 4], "without the deleted one")
            #expect(try rows[0].boolean("two"))
            #expect(try rows.allSatisfy { try $0.boolean("ok") })
        }
    }

    @Test func queueHealthCountsEachJobOnce() async throws {
        try await withTestDatabase { database in
            let empty = try #require(try await database.run("SELECT * FROM queue_health").first)
            #expect(try empty.integer("due") == 0 && empty.doubleIfPresent("oldest_due_s") == 0)
            try await database.run(
                """
                INSERT INTO enrichment_queue (engagement_id, priority, available_at, leased_by) VALUES
                    ('a', 0, now() - interval '100 s', NULL), ('b', 5, now(), NULL), ('c', NULL, now(), NULL),
                    ('d', -1, now() - interval '1 day', NULL), ('e', 0, now() + interval '1 day', NULL), ('f', 0, 'infinity', NULL),
                    ('g', 0, now() + interval '1 min', 7), ('h', 0, '-infinity', NULL);
                INSERT INTO dead_letters (key, cause) VALUES ('x', 'api');
                INSERT INTO workers (boot_id, host, pid, version, last_seen_at) VALUES
                    (1, 'h', 1, 'v', now()), (2, 'h', 1, 'v', now() - interval '1 hour');
                UPDATE control SET paused = true
                """)
            let row = try #require(try await database.run("SELECT * FROM queue_health").first)
            let counts = try ["due", "background_due", "waiting", "leased", "dead_letters", "workers"].map {
                try row.text(named: $0)
            }
            #expect(counts == ["4", "1", "2", "1", "1", "1"])
            #expect(try row.boolean("paused"))
            #expect((100...400).contains(try #require(try row.doubleIfPresent("oldest_due_s"))))
        }
    }

    @Test func engagementChangesTellsWhatIsGone() async throws {
        try await withEngagements { database in
            let rows = try await database.run(
                "SELECT engagement_id, changed_at::date::text AS day, is_gone FROM engagement_changes ORDER BY engagement_id"
            )
            #expect(
                try rows.map { try $0.text("engagement_id") }
                    == ["ngmt_bare", "ngmt_gaps", "ngmt_gone", "ngmt_hidden", "ngmt_whole"])
            #expect(try rows.map { try $0.boolean("is_gone") } == [false, false, true, false, false])
            #expect(try rows[0].text("day") == "2026-04-04")
        }
    }
}
