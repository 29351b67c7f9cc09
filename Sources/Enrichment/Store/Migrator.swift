package import Postgres
package import SQLText

/// Why a schema cannot be used or migrated.
package enum SchemaError: Error, Sendable, Equatable {
    /// Not PostgreSQL 15 or newer, or not a UTF-8 database.
    case unsupportedServer(version: Int, encoding: String)
    /// The schema is not there, or older than the binary.
    case outdated(schema: String, found: Int, expected: Int)
    /// The schema is newer than the binary by more than the one version that overlaps.
    case tooNew(schema: String, found: Int, expected: Int)
    /// A migration was applied from another text than ours.
    case changed(version: Int, name: String)
    /// Migrations need a session of their own, and a transaction pooler gives none.
    case pooler
}

/// Brings a schema up to date: forward only, checksummed, one at a time.
package struct Migrator: Sendable {
    package let conninfo: String
    package let schema: String
    package let binaryVersion: String

    package init(conninfo: String, schema: String, binaryVersion: String) {
        self.conninfo = conninfo
        self.schema = schema
        self.binaryVersion = binaryVersion
    }

    /// Applies what is missing, under an advisory lock: several at once come one after the other, and the later ones
    /// find nothing to do. Returns what was applied.
    ///
    /// - Parameters:
    ///   - withBell: false leaves the NOTIFY trigger out, since NOTIFY forbids PREPARE TRANSACTION.
    ///   - withOutbox: adds the outbox, if it is not there.
    ///   - dryRun: only tells what is missing.
    package func migrate(
        withBell: Bool = true, withOutbox: Bool = false, dryRun: Bool = false
    ) async throws -> [Migration] {
        if try await isPooled() {
            let missing = try await missing(try await open(isPooled: true))
            guard dryRun || (missing.isEmpty && withBell && !withOutbox) else { throw SchemaError.pooler }
            return missing
        }
        let connection = try await open()
        if dryRun { return try await missing(connection) }
        // Session level, so that it spans the transactions below and goes with the connection.
        try await connection.run(script: "SET lock_timeout = '5min'", name: "migrate_lock")
        _ = try await connection.query(Self.lock, [.text(schema)], timeout: .seconds(310))
        try await connection.run(script: "SET lock_timeout = '2s'", name: "migrate_lock")
        // IF NOT EXISTS would ask for the right to make schemas even where somebody has made this one for us.
        if try await connection.query(Self.hasSchema, [.text(schema)]).first?.boolean("there") == false {
            try await connection.run(script: "CREATE SCHEMA \(quoteIdentifier(schema))", name: "migrate_schema")
        }
        try await connection.run(script: Self.bookkeeping, name: "migrate_bookkeeping")
        let missing = try await missing(connection)
        for migration in missing { try await apply(migration, connection) }
        if !withBell {
            try await inTransaction(connection) { () throws(PostgresError) in
                try await connection.run(
                    script: "DROP TRIGGER IF EXISTS ring_bell ON enrichment_queue; \(Self.record)", name: "migrate_bell"
                )
            }
        }
        if withOutbox {
            try await inTransaction(connection) { () throws(PostgresError) in
                try await connection.run(script: Migration.outbox + ";\n" + Self.record, name: "migrate_outbox")
            }
        }
        await connection.close()
        return missing
    }

    /// The schema's version; 0 when there is none.
    package func version() async throws -> Int {
        let connection = try await open(isPooled: true, needsPrimary: false)
        return try await Self.version(connection)
    }

    /// Throws unless this binary can work with the schema: its own version or the next, since migrations only add.
    package static func check(_ connection: Connection, schema: String) async throws {
        let found = try await version(connection)
        let expected = Migration.latest
        // A schema that one may not use looks as if it were not there; it is said why by whoever tries.
        if found == 0, try await connection.query(isShut, [.text(schema)]).first?.boolean("shut") == true {
            try await connection.run(
                script: "SELECT FROM \(quoteIdentifier(schema)).schema_migrations LIMIT 0", name: "migrations_applied")
        }
        if found < expected { throw SchemaError.outdated(schema: schema, found: found, expected: expected) }
        if found > expected + 1 { throw SchemaError.tooNew(schema: schema, found: found, expected: expected) }
    }

    /// All migrations as one script for psql, for those who apply them by other means.
    package static func script(schema: String, withOutbox: Bool = false) -> String {
        let head =
            "SET search_path = \(quoteIdentifier(schema)), pg_temp;\nCREATE SCHEMA IF NOT EXISTS \(quoteIdentifier(schema));\n"
        let outbox = withOutbox ? "\nBEGIN;\n\(Migration.outbox)\nCOMMIT;\n" : ""
        return Migration.all.reduce(head + bookkeeping + "\n") { script, migration in
            script + """

                BEGIN;
                -- m\(migration.version) \(migration.name)
                \(migration.text)
                INSERT INTO schema_migrations (version, name, checksum, binary_version)
                VALUES (\(migration.version), '\(migration.name)', encode(sha256(convert_to($migration$\(migration.text)$migration$, 'UTF8')), 'hex'), 'sql');
                COMMIT;

                """
        } + outbox + "\n\(record);\n"
    }

    // MARK: -

    private func isPooled() async throws -> Bool {
        let listener = try await open(isPooled: true)
        let notifier = try await open(isPooled: true)
        let channel = "engagement_worker_trial_" + String(UInt64.random(in: 0 ... .max), radix: 16)
        let isHeard = try await listener.hears(channel: channel) { () throws(PostgresError) in
            _ = try await notifier.query(Notifications.notify, [.text(channel)])
        }
        await listener.close()
        await notifier.close()
        return !isHeard
    }

    private func open(isPooled: Bool = false, needsPrimary: Bool = true) async throws -> Connection {
        var configuration = ConnectionConfiguration(
            conninfo: conninfo, applicationName: "engagement-worker migrate", schema: schema
        )
        configuration.statementTimeout = .seconds(600)
        configuration.isPooled = isPooled
        configuration.needsPrimary = needsPrimary
        let connection = try await Connection.open(configuration)
        try await Self.checkServer(connection)
        return connection
    }

    package static func checkServer(_ connection: Connection) async throws {
        guard let row = try await connection.query(server).first else { return }
        let (version, encoding) = (Int(try row.integer("version")), try row.text("encoding"))
        guard version >= 150_000, encoding == "UTF8" else {
            throw SchemaError.unsupportedServer(version: version, encoding: encoding)
        }
    }

    package static func version(_ connection: Connection) async throws -> Int {
        guard let row = try await connection.query(hasBookkeeping).first, try row.boolean("there") else { return 0 }
        guard let last = try await connection.query(Statements.migrationsApplied).last else { return 0 }
        return Int(try last.integer("version"))
    }

    /// What is not applied yet, after the check that what is applied has not changed since.
    private func missing(_ connection: Connection) async throws -> [Migration] {
        guard let row = try await connection.query(Self.hasBookkeeping).first, try row.boolean("there") else {
            return Migration.all
        }
        let sums = try await connection.query(Self.checksums, [.texts(Migration.all.map(\.text))])
        let applied = try await connection.query(Statements.migrationsApplied)
        for row in applied {
            let version = Int(try row.integer("version"))
            guard version <= Migration.latest else {
                throw SchemaError.tooNew(schema: schema, found: version, expected: Migration.latest)
            }
            guard try row.text("checksum") == sums[version - 1].text("checksum") else {
                throw SchemaError.changed(version: version, name: try row.text("name"))
            }
        }
        return Array(Migration.all.dropFirst(applied.count))
    }

    /// One migration in one transaction, its record first.
    private func apply(_ migration: Migration, _ connection: Connection) async throws(PostgresError) {
        try await inTransaction(connection) { () throws(PostgresError) in
            _ = try await connection.query(
                Self.note,
                [.bigint(Int64(migration.version)), .text(migration.name), .text(migration.text), .text(binaryVersion)]
            )
            // Not at any other time: what has drifted since would count as meant.
            let record = migration.version >= Self.firstRecorded ? ";\n" + Self.record : ""
            try await connection.run(
                script: migration.text + record, name: "m\(migration.version)_\(migration.name)")
        }
    }

    /// A table that somebody uses is not waited for longer than 2 s at a time, or everybody would queue up behind us; so a
    /// few tries.
    private func inTransaction(
        _ connection: Connection, _ work: () async throws(PostgresError) -> Void
    ) async throws(PostgresError) {
        var triesLeft = 30
        while true {
            do throws(PostgresError) {
                try await connection.run(
                    script: "BEGIN; SET LOCAL client_min_messages = warning", name: "migrate_begin")
                try await work()
                try await connection.run(script: "COMMIT", name: "migrate_commit")
                return
            } catch {
                if !error.isConnectionLoss {
                    _ = try? await connection.run(script: "ROLLBACK", name: "migrate_rollback")
                }
                triesLeft -= 1
                guard error.sqlState == .lockNotAvailable, triesLeft > 0 else { throw error }
                // Whom we kept waiting goes first.
                try? await Task.sleep(for: .milliseconds(500))
            }
        }
    }

    private static let bookkeeping = """
        SET client_min_messages = warning;
        CREATE TABLE IF NOT EXISTS schema_migrations (
            version        integer PRIMARY KEY,
            name           text        NOT NULL,
            checksum       text        NOT NULL,
            applied_at     timestamptz NOT NULL DEFAULT now(),
            binary_version text        NOT NULL
        );
        COMMENT ON TABLE schema_migrations IS 'Which migrations were applied, when, and by which version of engagement-worker.';
        """

    private static let server = Statement(
        name: "migrate_server",
        sql:
            "SELECT current_setting('server_version_num')::int AS version, current_setting('server_encoding') AS encoding"
    )
    private static let hasSchema = Statement(
        name: "migrate_has_schema", sql: "SELECT to_regnamespace(quote_ident($1::text)) IS NOT NULL AS there"
    )
    private static let lock = Statement(
        name: "migrate_lock",
        sql: "SELECT pg_advisory_lock(hashtextextended('engagement-worker migrate ' || $1::text, 0))"
    )
    private static let hasBookkeeping = Statement(
        name: "migrate_there", sql: "SELECT to_regclass('schema_migrations') IS NOT NULL AS there"
    )
    private static let isShut = Statement(
        name: "migrate_shut",
        sql: """
            SELECT coalesce(NOT has_schema_privilege(to_regnamespace(quote_ident($1::text)), 'USAGE'), false) AS shut
            """
    )
    private static let checksums = Statement(
        name: "migrate_checksums",
        sql: """
            SELECT encode(sha256(convert_to(m.text, 'UTF8')), 'hex') AS checksum
            FROM unnest($1::text[]) WITH ORDINALITY AS m(text, n) ORDER BY m.n
            """
    )
    /// Notes what the schema consists of; from that version on there is the function.
    private static let record = "SELECT record_schema()"
    private static let firstRecorded = 22
    private static let note = Statement(
        name: "migrate_note",
        sql: """
            INSERT INTO schema_migrations (version, name, checksum, binary_version)
            VALUES ($1::bigint::integer, $2::text, encode(sha256(convert_to($3::text, 'UTF8')), 'hex'), $4::text)
            """
    )
}
