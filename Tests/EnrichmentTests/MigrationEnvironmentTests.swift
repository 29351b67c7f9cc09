import Enrichment
import Foundation
import Postgres
import SQLText
import TestKit
import Testing

/// Migrations where things are not as on a developer's machine: other tools, other rights, other sessions.
struct MigrationEnvironmentTests {
    @Test(arguments: ["askelephant", #"Ask "Elephant's" Data"#])
    func theScriptForPsqlGivesTheSameSchema(_ schema: String) async throws {
        try await withTestDatabase(schema: schema) { migrated in
            try await withEmptyDatabase { scripted in
                let script = Migrator.script(schema: schema)
                let run = try await psql(scripted.conninfo, script)
                #expect(run.status == 0 && run.errors == "", "\(run.errors)")
                #expect(try await dump(scripted.conninfo) == dump(migrated.conninfo))
                let migrator = Migrator(conninfo: scripted.conninfo, schema: schema, binaryVersion: "test")
                #expect(try await migrator.migrate().isEmpty, "there is nothing left to do")
                #expect(try await migrator.version() == Migration.latest)
                let again = try await psql(scripted.conninfo, script)
                #expect(again.status != 0, "a second run is refused, not half done")
                #expect(try await migrator.version() == Migration.latest)
            }
        }
    }

    /// The migrator's transactions wait for a lock 2 s at a time: whoever wants the table meanwhile waits no longer.
    @Test func aLockedTableIsWaitedForInShortTurns() async throws {
        try await withEmptyDatabase { database in
            let script = Migrator.script(schema: "askelephant")
            // It alters tables.
            let altering = 15
            let rest = try #require(script.range(of: "\nBEGIN;\n-- m\(altering) "))
            let head = try await psql(database.conninfo, String(script[..<rest.lowerBound]))
            #expect(head.status == 0, "\(head.errors)")
            #expect(try await database.migrator().version() == altering - 1)

            let holder = try await database.connect()
            try await holder.run(script: lockEverything, name: "hold")
            let migrating = Task { try await database.migrator().migrate().map(\.version) }
            try await database.wait(for: waiting, toBe: "1")
            let first = try #require(try await database.value(since))
            try await eventually(within: .seconds(20), "it gave up and came again") {
                let now = try await database.value(since)
                return now != nil && now != first
            }
            try await holder.run(script: "COMMIT", name: "let_go")
            #expect(try await migrating.value == Array(altering...Migration.latest))
            await holder.close()
        }
    }

    private let lockEverything = """
        BEGIN;
        DO $$ BEGIN
            EXECUTE (SELECT 'LOCK TABLE ' || string_agg(c.oid::regclass::text, ', ') || ' IN ACCESS EXCLUSIVE MODE'
                     FROM pg_class AS c
                     WHERE c.relkind = 'r' AND c.relnamespace = current_schema()::regnamespace AND c.relname <> 'schema_migrations');
        END $$
        """
    private let waiting = """
        SELECT count(*) FROM pg_stat_activity
        WHERE datname = current_database() AND application_name = 'engagement-worker migrate' AND wait_event_type = 'Lock'
        """
    private let since = """
        SELECT xact_start FROM pg_stat_activity
        WHERE datname = current_database() AND application_name = 'engagement-worker migrate' AND wait_event_type = 'Lock'
        """

    @Test func aRoleThatMayOnlyCreateASchemaCanMigrate() async throws {
        try await withEmptyDatabase { database in
            try await database.withRole { role in
                try await database.run("GRANT CREATE ON DATABASE \(database.name) TO \(role)")
                let migrator = Migrator(
                    conninfo: database.conninfo(as: role), schema: "askelephant", binaryVersion: "test")
                #expect(try await migrator.migrate().count == Migration.latest)
                #expect(try await migrator.migrate().isEmpty)
            }
        }
    }

    @Test func aRoleThatOwnsTheSchemaAndMayCreateNoneCanMigrate() async throws {
        try await withEmptyDatabase { database in
            try await database.withRole { role in
                try await database.run("CREATE SCHEMA askelephant AUTHORIZATION \(role)")
                let migrator = Migrator(
                    conninfo: database.conninfo(as: role), schema: "askelephant", binaryVersion: "test")
                #expect(try await migrator.migrate().count == Migration.latest)
                #expect(try await migrator.migrate().isEmpty)
            }
        }
    }

    @Test func aRoleWithoutAnyRightIsToldSoAndLeavesNothing() async throws {
        try await withEmptyDatabase { database in
            try await database.withRole { role in
                let migrator = Migrator(
                    conninfo: database.conninfo(as: role), schema: "askelephant", binaryVersion: "test")
                let error = try await postgresError { _ = try await migrator.migrate() }
                #expect(error?.sqlState == .insufficientPrivilege)
            }
            #expect(try await database.count("SELECT count(*) FROM pg_namespace WHERE nspname = 'askelephant'") == 0)
        }
    }

    @Test func aDatabaseThatIsNotUTF8IsRefused() async throws {
        try await withTestDatabase { database in
            let name = database.name + "_latin"
            try await database.run("CREATE DATABASE \(name) TEMPLATE template0 ENCODING 'LATIN1' LOCALE 'C'")
            let migrator = Migrator(
                conninfo: TestCluster.conninfo(name), schema: "askelephant", binaryVersion: "test")
            do {
                _ = try await migrator.migrate()
                Issue.record("it was migrated")
            } catch SchemaError.unsupportedServer(_, let encoding) {
                #expect(encoding == "LATIN1")
            }
            try await database.run("DROP DATABASE \(name) WITH (FORCE)")
        }
    }

    // MARK: -

    private func psql(_ conninfo: String, _ script: String) async throws -> Program {
        try await Program.run("psql", ["-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", conninfo, "-f", "-"], input: script)
    }

    /// The schema as `pg_dump` writes it, without the lines that differ by themselves.
    private func dump(_ conninfo: String) async throws -> [String] {
        let dump = try await Program.run("pg_dump", ["-s", "-d", conninfo])
        #expect(dump.status == 0, "\(dump.errors)")
        return dump.output.split(separator: "\n").filter { !$0.hasPrefix("\\") }.map(String.init)
    }
}
