import Enrichment
import Postgres
import SQLText
import Simulator
import TestKit
import Testing

/// Bringing a schema up to date.
struct MigrationTests {
    private let all = Migration.all.map(\.version)

    @Test func fourAtOnceApplyEachMigrationOnce() async throws {
        try await withEmptyDatabase { database in
            let applied = try await withThrowingTaskGroup(of: [Int].self) { group in
                for _ in 0..<4 {
                    group.addTask { try await database.migrator().migrate().map(\.version) }
                }
                return try await group.reduce(into: [[Int]]()) { $0.append($1) }
            }
            #expect(applied.flatMap(\.self).sorted() == all, "each by exactly one of them")
            #expect(try await database.migrator().migrate().isEmpty, "nothing is left to do")
            #expect(try await database.migrator().version() == Migration.latest)
            let recorded = try await database.run(
                "SELECT version, name, binary_version FROM schema_migrations ORDER BY version")
            #expect(try recorded.map { Int(try $0.integer("version")) } == all)
            #expect(try recorded.map { try $0.text("name") } == Migration.all.map(\.name))
        }
    }

    @Test func aChangedMigrationIsRefused() async throws {
        try await withTestDatabase { database in
            try await database.run("UPDATE schema_migrations SET checksum = 'another' WHERE version = 2")
            await #expect(throws: SchemaError.changed(version: 2, name: Migration.all[1].name)) {
                try await database.migrator().migrate()
            }
            await #expect(throws: SchemaError.changed(version: 2, name: Migration.all[1].name)) {
                try await database.migrator().migrate(dryRun: true)
            }
        }
    }

    @Test func aNewerSchemaIsNotTouched() async throws {
        try await withTestDatabase { database in
            try await database.addVersion(Migration.latest + 1)
            try await database.addVersion(Migration.latest + 2)
            await #expect(throws: SchemaError.self) { try await database.migrator().migrate() }
            #expect(try await database.count("SELECT count(*) FROM schema_migrations") == Migration.latest + 2)
        }
    }

    @Test func aBinaryWorksWithItsOwnSchemaAndTheNextOnly() async throws {
        try await withTestDatabase { database in
            let connection = try await database.connect()
            try await Migrator.check(connection, schema: database.schema)
            try await database.addVersion(Migration.latest + 1)
            try await Migrator.check(connection, schema: database.schema)
            try await database.addVersion(Migration.latest + 2)
            await #expect(
                throws: SchemaError.tooNew(
                    schema: "askelephant", found: Migration.latest + 2, expected: Migration.latest)
            ) { try await Migrator.check(connection, schema: database.schema) }
            try await database.run("DELETE FROM schema_migrations WHERE version >= \(Migration.latest)")
            await #expect(
                throws: SchemaError.outdated(
                    schema: "askelephant", found: Migration.latest - 1, expected: Migration.latest)
            ) { try await Migrator.check(connection, schema: database.schema) }
            await connection.close()
        }
    }

    @Test func anEmptyDatabaseIsOutdatedAndADryRunLeavesItEmpty() async throws {
        try await withEmptyDatabase { database in
            let connection = try await database.connect()
            await #expect(
                throws: SchemaError.outdated(schema: "askelephant", found: 0, expected: Migration.latest)
            ) { try await Migrator.check(connection, schema: database.schema) }
            #expect(try await database.migrator().migrate(dryRun: true).map(\.version) == all)
            #expect(try await database.count("SELECT count(*) FROM pg_namespace WHERE nspname = 'askelephant'") == 0)
            #expect(try await database.migrator().version() == 0)
            await connection.close()
        }
    }

    @Test(arguments: [#"Ask "Elephant's" Data"#, "ünï,code", "select"])
    func anySchemaNameWorksFromEndToEnd(_ schema: String) async throws {
        try await withTestDatabase(schema: schema) { database in
            let simulator = Simulator(seed: 3)
            try await simulator.start()
            let worker = try await TestWorker(database, simulator)
            try await database.run(
                "INSERT INTO enrichment_queue (engagement_id) VALUES ('\(simulator.world.id(1))'), ('no id')")
            try await database.wait(for: "SELECT count(*) FROM enrichment_queue", toBe: "0")
            #expect(try await database.count("SELECT count(*) FROM engagements_live") == 1)
            #expect(try await database.value("SELECT state FROM enrichment_state('no id')") == "dead")
            // Awake by the bell, whose channel derives from the name.
            try await database.wait(for: "SELECT count(*) FROM workers WHERE idle_until > now()", toBe: "1")
            try await database.run("INSERT INTO enrichment_queue (engagement_id) VALUES ('\(simulator.world.id(2))')")
            try await database.wait(for: "SELECT count(*) FROM engagements_live", toBe: "2")
            try await worker.stop()
            await simulator.stop()
            #expect(
                try await database.count("SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace")
                    == 0)
        }
    }

    @Test func twoSchemasOfOneDatabaseLiveApart() async throws {
        try await withTestDatabase { database in
            let other = Migrator(conninfo: database.conninfo, schema: "Other", binaryVersion: "test")
            #expect(try await other.migrate().count == Migration.latest)
            try await database.run("INSERT INTO \"Other\".enrichment_queue (engagement_id) VALUES ('ngmt_a')")
            #expect(try await database.count("SELECT count(*) FROM enrichment_queue") == 0)
            #expect(try await database.value("SELECT \"Other\".bell_channel() = bell_channel()") == "f")
            #expect(try await database.value("SELECT state FROM \"Other\".enrichment_state('ngmt_a')") == "queued")
        }
    }

    @Test func withoutBellThereIsNoTrigger() async throws {
        try await withEmptyDatabase { database in
            _ = try await database.migrator().migrate(withBell: false)
            #expect(try await database.count("SELECT count(*) FROM pg_trigger WHERE tgname = 'ring_bell'") == 0)
            #expect(try await database.count("SELECT count(*) FROM pg_trigger WHERE tgname = 'queue_defaults'") == 1)
        }
    }
}

extension TestDatabase {
    func migrator() -> Migrator { Migrator(conninfo: conninfo, schema: schema, binaryVersion: "test") }

    /// The record of a migration that this binary does not know.
    func addVersion(_ version: Int) async throws {
        try await run(
            """
            INSERT INTO schema_migrations (version, name, checksum, binary_version)
            VALUES (\(version), 'future', 'unknown', 'future')
            """)
    }
}

/// A database in which nothing was migrated yet.
func withEmptyDatabase(_ test: (TestDatabase) async throws -> Void) async throws {
    try await withTestDatabase { database in
        try await database.run("SET client_min_messages = error; DROP SCHEMA askelephant CASCADE")
        try await test(database)
    }
}
