import ArgumentParser
import AskElephant
import Enrichment
import SQLText

struct Migrate: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Bring the schema up to date.",
        discussion:
            "Forward only. Safe to run from several processes at once. ENGAGEMENT_WORKER_MIGRATE_DATABASE_URL names a role that may create tables."
    )

    @Flag(help: "Show what would be applied.") var dryRun = false
    @Flag(name: .customLong("sql"), help: "Print all migrations as a script for psql; needs no database.") var isSQL =
        false
    @Flag(help: "Show the schema's version and this binary's.") var status = false
    @Flag(help: "Leave the NOTIFY trigger out, since NOTIFY forbids PREPARE TRANSACTION; workers then poll.")
    var withoutBell = false
    @Flag(help: "Add the outbox: a row for each engagement that a transaction changed.") var withOutbox = false
    @OptionGroup(title: "Settings") var options: SettingsOptions

    func run() async throws {
        let settings = try Setup.settings(options)
        if isSQL {
            return print(Migrator.script(schema: settings.schema, withOutbox: withOutbox), terminator: "")
        }
        let migrator = try Self.migrator(settings)
        if status {
            let version = try await migrator.version()
            return print("schema \(settings.schema): version \(version); this binary: version \(Migration.latest)")
        }
        let applied = try await migrator.migrate(
            withBell: !withoutBell, withOutbox: withOutbox, dryRun: dryRun)
        if dryRun, withOutbox { print("would add the outbox, if it is not there") }
        for migration in applied {
            print("\(dryRun ? "would apply" : "applied") m\(migration.version) \(migration.name)")
        }
        print(
            "schema \(settings.schema) \(dryRun && !applied.isEmpty ? "is not up to date" : "is up to date (version \(Migration.latest))")"
        )
    }

    /// For `run --auto-migrate`.
    static func apply(_ settings: Settings, log: Log) async throws {
        let applied = try await migrator(settings).migrate()
        guard !applied.isEmpty else { return }
        log(
            .notice, .schemaMigrated, "schema migrated",
            [.n: .integer(applied.count), .schemaVersion: .integer(Migration.latest)])
    }

    private static func migrator(_ settings: Settings) throws -> Migrator {
        let conninfo = try settings.migrateDatabase?.reveal() ?? Setup.conninfo(settings)
        return Migrator(conninfo: conninfo, schema: settings.schema, binaryVersion: Version.current)
    }
}
