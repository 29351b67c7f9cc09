import Enrichment
import Foundation
import Postgres
import Simulator
import TestKit
import Testing

/// The role of whoever inserts: what it can do, and that it can do nothing else.
struct InserterTests {
    private func withInserter(
        _ test: (TestDatabase, Connection, String) async throws -> Void
    ) async throws {
        try await withTestDatabase { database in
            try await database.withRole { role in
                try await database.run(
                    """
                    GRANT USAGE ON SCHEMA askelephant TO \(role);
                    GRANT INSERT (engagement_id, reason, priority, available_at), SELECT (id) ON enrichment_queue TO \(role)
                    """)
                let inserter = try await database.connect(as: role)
                try await test(database, inserter, role)
                await inserter.close()
            }
        }
    }

    @Test func returningWorksWhileAWorkerIsIdle() async throws {
        try await withInserter { database, inserter, _ in
            let simulator = Simulator(seed: 6)
            try await simulator.start()
            let worker = try await TestWorker(database, simulator) { $0.pollInterval = .seconds(60) }
            try await database.wait(for: "SELECT count(*) FROM workers WHERE idle_until > clock_timestamp()", toBe: "1")
            let row = try await inserter.run(
                script: """
                    INSERT INTO enrichment_queue (engagement_id, reason, priority, available_at)
                    VALUES ('\(simulator.world.id(1))', 'orm', 5, now()) RETURNING id
                    """, name: "insert"
            ).first
            #expect(try #require(row).integer("id") > 0)
            // By the bell: long before it would look by itself.
            try await database.wait(for: "SELECT count(*) FROM engagements", toBe: "1")
            try await worker.stop()
            await simulator.stop()
        }
    }

    @Test func anythingMayBeInserted() async throws {
        try await withInserter { database, inserter, _ in
            try await inserter.run(
                script: """
                    INSERT INTO enrichment_queue (engagement_id, reason, priority, available_at) VALUES
                        (NULL, NULL, NULL, NULL), ('', '', 0, '-infinity'), (repeat('ngmt_', 200000), repeat('r', 1000000), 1, 'infinity'),
                        ('a', 'b', -2147483648, '294276-12-31'), ('a', 'b', 2147483647, '4713-01-01 BC'),
                        (chr(1) || E'\\n' || chr(1114111), 'deleted', -1, now());
                    INSERT INTO enrichment_queue (engagement_id) VALUES (DEFAULT);
                    INSERT INTO enrichment_queue (engagement_id, priority, available_at) VALUES ('x', DEFAULT, DEFAULT)
                    """, name: "insert")
            #expect(try await database.count("SELECT count(*) FROM enrichment_queue") == 8)
            #expect(
                try await database.count(
                    "SELECT count(*) FROM enrichment_queue WHERE available_at IS NULL OR enqueued_at IS NULL") == 0)
            #expect(try await database.count("SELECT max(length(engagement_id)) FROM enrichment_queue") == 1_000_000)
        }
    }

    @Test func whatWasInsertedEndsInARowOrADeadLetter() async throws {
        try await withInserter { database, inserter, _ in
            let simulator = Simulator(seed: 7)
            try await simulator.start()
            let worker = try await TestWorker(database, simulator)
            try await inserter.run(
                script: """
                    INSERT INTO enrichment_queue (engagement_id, reason, priority, available_at) VALUES
                        (NULL, NULL, NULL, NULL), (repeat('ngmt_', 200000), repeat('r', 1000000), 1, '-infinity'),
                        ('\(simulator.world.id(1))', NULL, NULL, NULL), (E'\(simulator.world.id(2))\\n', '', -7, '4713-01-01 BC')
                    """, name: "insert")
            try await database.wait(for: "SELECT count(*) FROM enrichment_queue", toBe: "0")
            #expect(try await database.count("SELECT count(*) FROM engagements") == 1)
            #expect(try await database.count("SELECT count(*) FROM dead_letters WHERE cause = 'invalid_id'") == 3)
            #expect(try await database.count("SELECT max(length(engagement_id)) FROM dead_letters") == 1_000_000)
            try await worker.stop()
            await simulator.stop()
        }
    }

    @Test func tenThousandRowsInOneStatement() async throws {
        try await withInserter { database, inserter, _ in
            let rows = try await inserter.run(
                script: """
                    INSERT INTO enrichment_queue (engagement_id, priority) SELECT 'ngmt_' || i, -1 FROM generate_series(1, 10000) AS i
                    RETURNING id
                    """, name: "insert")
            #expect(Set(try rows.map { try $0.integer("id") }).count == 10_000)
            #expect(try await database.count("SELECT count(*) FROM enrichment_queue WHERE priority = -1") == 10_000)
        }
    }

    @Test func copyWorks() async throws {
        try await withInserter { database, _, role in
            let lines = (1...500).map { "ngmt_\($0)\t\($0 % 3 - 1)" } + ["\\N\t\\N", "\\."]
            let copy = try await Program.run(
                "psql",
                [
                    "-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", database.conninfo(as: role),
                    "-c", "COPY askelephant.enrichment_queue (engagement_id, priority) FROM STDIN",
                ], input: lines.joined(separator: "\n") + "\n")
            #expect(copy.status == 0, "\(copy.errors)")
            #expect(
                try await database.count("SELECT count(*) FROM enrichment_queue WHERE available_at <= now()") == 501)
        }
    }

    @Test func aForeignTransactionThatRollsBackLeavesNothing() async throws {
        try await withInserter { database, inserter, _ in
            try await inserter.run(
                script: "BEGIN; INSERT INTO enrichment_queue (engagement_id) VALUES ('a'); ROLLBACK", name: "insert")
            #expect(try await database.count("SELECT count(*) FROM enrichment_queue") == 0)
        }
    }
}
