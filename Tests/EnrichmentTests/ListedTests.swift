import Postgres
import TestKit
import Testing

/// What a page of the list does in the tables.
@Suite struct ListedTests {
    private static let page = """
        SELECT take_walk('sweep', 1, NULL, NULL, 60);
        SELECT note_page('sweep', 1, ARRAY['ngmt_1'], ARRAY['%time'], '%time', true, 60)
        """

    /// An engagement that is dated into the future sorts last; the next sweep is not to begin there.
    @Test(arguments: [("2099-01-01T00:00:00Z", true), ("2026-01-01T00:00:00Z", false)])
    func aTimeOfTheFutureIsNoCheckpoint(time: String, isFuture: Bool) async throws {
        try await withTestDatabase { database in
            try await database.run(Self.page.replacing("%time", with: time))
            let checkpoint = try await database.value("SELECT checkpoint FROM list_walks")
            #expect((checkpoint == time) != isFuture)
            #expect(
                try await database.value("SELECT (checkpoint::timestamptz <= now())::text FROM list_walks") == "true")
        }
    }

    /// What could not be read a while ago may be readable since it changed.
    @Test(arguments: [("2 hours", 1), ("1 minute", 0), ("2 days", 1)])
    func aDeadLetterHoldsUntilTheEngagementChanges(age: String, queued: Int) async throws {
        try await withTestDatabase { database in
            try await database.run(
                """
                INSERT INTO dead_letters (key, engagement_id, cause, last_at)
                VALUES ('ngmt_1', 'ngmt_1', 'private', now() - interval '\(age)')
                """)
            let changed = "to_char(now() AT TIME ZONE 'UTC' - interval '1 hour', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"')"
            let found = try await database.count("SELECT queue_listed(ARRAY['ngmt_1'], ARRAY[\(changed)], 'sweep')")
            #expect(found == queued)
        }
    }

    /// Only one process is on a walk, until it dies or says nothing for so long.
    @Test func oneProcessIsOnAWalk() async throws {
        try await withTestDatabase { database in
            func take(_ boot: Int) async throws -> Bool {
                try await !database.run("SELECT * FROM take_walk('backfill', \(boot), NULL, NULL, 60)").isEmpty
            }
            func note(_ boot: Int) async throws -> String? {
                try await database.run(
                    "SELECT note_page('backfill', \(boot), ARRAY['ngmt_1'], ARRAY[NULL], NULL, false, 60)::text AS n"
                ).first?.textIfPresent("n")
            }
            try await database.run(
                "INSERT INTO workers (boot_id, host, pid, version, _holds_lock) VALUES (1, 'a', 1, '1', false), (2, 'b', 2, '1', true)"
            )
            #expect(try await take(1))
            let refused = try await take(2)
            #expect(!refused)
            #expect(try await note(2) == nil)
            #expect(try await note(1) == "1")
            // It has left, or its time is over.
            try await database.run("UPDATE list_walks SET _held_until = now()")
            #expect(try await take(2))
            #expect(try await note(1) == nil)
            // The lock of the second is nobody's: it has died.
            #expect(try await take(1))
        }
    }
}
