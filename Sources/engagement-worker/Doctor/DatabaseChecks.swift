import Enrichment
import Glibc
import Postgres
import SQLText

/// What only the database knows: whether a worker of these settings could work, and what would trouble it.
struct DatabaseChecks {
    let settings: Settings
    /// Takes each finding as soon as it is there.
    let add: (Finding) -> Void

    /// False if what comes after it cannot be asked.
    func run() async throws -> Bool {
        guard let session = try await connect() else { return false }
        defer { Task { await session.close() } }
        guard let server = try await server(session), try await rights(session, server),
            try await schema(session, server)
        else { return false }
        try await drift(session)
        await bell(session)
        try await health(session, server)
        return true
    }

    private func connect() async throws -> Session? {
        var configuration = try Setup.database(settings).connection(role: "command")
        configuration.isPooled = true
        let session = Session(configuration)
        do {
            try await Setup.within(settings.startTimeout) { _ = try await session.current() }
        } catch {
            add(.failure("database", Failure(error)))
            return nil
        }
        return await primary(configuration, insteadOf: session)
    }

    /// A worker passes over the standbys among several servers, so the primary is what is to be looked at. Where there is none,
    /// what the standby says of itself is worth more than that nothing was reached.
    private func primary(_ configuration: ConnectionConfiguration, insteadOf session: Session) async -> Session {
        guard let row = try? await session.query(Statements.doctorServer, [.text(settings.schema)]).first,
            (try? row.boolean("is_standby")) == true
        else { return session }
        var configuration = configuration
        configuration.needsPrimary = true
        let primary = Session(configuration)
        let found = await atMost(min(settings.startTimeout, .seconds(5))) { (try? await primary.current()) != nil }
        let (kept, left) = found == true ? (primary, session) : (session, primary)
        await left.close()
        return kept
    }

    private func server(_ session: Session) async throws -> ServerFacts? {
        let sent = ContinuousClock.now
        var now = timespec()
        clock_gettime(CLOCK_REALTIME, &now)
        guard let row = try await session.query(Statements.doctorServer, [.text(settings.schema)]).first else {
            return nil
        }
        let took = (ContinuousClock.now - sent) / .seconds(1)
        let host = Double(now.tv_sec) + Double(now.tv_nsec) / 1e9
        let server = try ServerFacts(row, host: host, roundTrip: took)
        let findings = server.findings(connectionsNeeded: settings.writers + 4, receives: settings.receives)
        for finding in findings { add(finding) }
        return findings.contains { $0.mark == .failure && $0.area == "database" } ? nil : server
    }

    private func rights(_ session: Session, _ server: ServerFacts) async throws -> Bool {
        guard server.hasSchema else { return true }
        let lacking = try await session.query(
            Statements.doctorRights, [.text(settings.schema), .texts(Migration.tables)]
        )
        .map { (object: try $0.text("object"), rights: try $0.text("rights")) }
        let schema = quoteIdentifier(settings.schema)
        guard let first = lacking.first else {
            add(.ok("rights", "\(server.role) may do in \(settings.schema) what a worker has to"))
            return true
        }
        let isShut = lacking.contains { $0.object.hasPrefix("schema ") }
        let all = lacking.map { "\($0.rights) on \($0.object)" }
        let more = all.count > 5 ? " and \(all.count - 5) more" : ""
        let role = quoteIdentifier(server.role)
        add(
            .failure(
                "rights", "\(server.role) lacks " + all.prefix(5).joined(separator: "; ") + more,
                next: isShut
                    ? "GRANT USAGE ON SCHEMA \(schema) TO \(role);"
                    : "GRANT \(first.rights) ON \(Self.grantable(first.object, schema)) TO \(role); or all of them: run deploy/grants.sql, then GRANT \(quoteIdentifier(settings.schema + "_worker")) TO \(role);"
            ))
        return !isShut
    }

    private static func grantable(_ object: String, _ schema: String) -> String {
        let words = object.split(separator: " ", maxSplits: 1)
        guard words.count == 2 else { return object }
        return words[0] == "function"
            ? "ALL FUNCTIONS IN SCHEMA \(schema)" : "\(schema).\(quoteIdentifier(String(words[1])))"
    }

    private func schema(_ session: Session, _ server: ServerFacts) async throws -> Bool {
        do {
            let connection = try await session.current()
            try await Migrator.check(connection, schema: settings.schema)
            let version = try await Migrator.version(connection)
            add(.ok("schema", "\(settings.schema) at version \(version), this binary's is \(Migration.latest)"))
            return true
        } catch let error as SchemaError where settings.autoMigrate && error.isOutdated {
            add(
                .warning(
                    "schema", Failure(error).message + "; run --auto-migrate brings it up to date",
                    next: "nothing, if its role may make tables; else engagement-worker migrate"))
            return false
        } catch {
            add(.failure("schema", Failure(error)))
            return false
        }
    }

    private func drift(_ session: Session) async throws {
        guard try await session.query(Statements.doctorRecorded).first?.boolean("is_recorded") == true else {
            return add(
                .warning(
                    "drift", "not known: no migration has noted what it left",
                    next: "as the schema's owner: SELECT \(quoteIdentifier(settings.schema)).record_schema();"))
        }
        let rows = try await session.query(Statements.doctorDrift).map { row in
            SchemaDrift(
                kind: try row.text("kind"), name: try row.text("name"), isMissing: try row.boolean("is_missing"))
        }
        add(SchemaDrift.finding(rows, schema: settings.schema))
    }

    /// What run would find at its start. Whoever does not answer is not waited for longer than run would.
    private func bell(_ session: Session) async {
        do {
            let bell = try await session.query(Statements.doctorBell).first?.text("bell")
            let database = Database(try Setup.database(settings), bootID: .random(in: .min ... .max), log: .none)
            let start = ContinuousClock.now
            let found = await atMost(settings.startTimeout) { () -> Result<Bool, PostgresError> in
                do throws(PostgresError) {
                    try await database.findPooler()
                    return .success(database.health.isPooled)
                } catch { return .failure(error) }
            }
            guard let found else {
                add(
                    .failure(
                        "notifications",
                        "no further connection was had within \(Wording.seconds(settings.startTimeout / .seconds(1)))",
                        next: "raise max_connections, or see what holds them: pg_stat_activity"))
                return
            }
            let isPooled = try found.get()
            let time = Wording.milliseconds(ContinuousClock.now - start)
            if let bell, bell != "on" {
                add(Self.silent(isMissing: bell == "missing", schema: settings.schema))
            } else if settings.listenDatabaseURL != nil {
                add(await listener(database))
            } else if isPooled {
                add(
                    .warning(
                        "notifications",
                        "do not come back: a transaction pooler is in the way, so new jobs wait for --poll-interval",
                        next: "set ENGAGEMENT_WORKER_LISTEN_DATABASE_URL to a connection that goes past the pooler"))
            } else {
                add(.ok("notifications", "come back after \(time), connecting included"))
            }
            await database.close()
        } catch {
            add(.failure("notifications", Failure(error)))
        }
    }

    /// Without it run polls: so whatever is wrong with it is no more than a warning.
    private func listener(_ database: Database) async -> Finding {
        let url = "ENGAGEMENT_WORKER_LISTEN_DATABASE_URL"
        let hears = await atMost(.seconds(5)) { () -> Result<Bool, PostgresError> in
            do throws(PostgresError) { return .success(try await database.listenerHears()) } catch {
                return .failure(error)
            }
        }
        switch hears {
        case .success(true): return .ok("notifications", "come back by \(url)")
        case .success(false):
            return .warning(
                "notifications", "do not come back: \(url) leads through a transaction pooler",
                next: "give it the address of the server itself")
        case .failure(let error):
            return .warning("notifications", "\(url): \(Failure(error).message); run polls", next: "correct \(url)")
        case nil: return .warning("notifications", "\(url) is not reached; run polls", next: "correct \(url)")
        }
    }

    /// Then it does not matter who could hear the bell.
    static func silent(isMissing: Bool, schema: String) -> Finding {
        let schema = quoteIdentifier(schema)
        return .warning(
            "notifications",
            "an insert rings no bell: the trigger ring_bell of enrichment_queue is \(isMissing ? "missing" : "switched off"), "
                + "so new jobs wait for --poll-interval",
            next: "if it was not meant: "
                + (isMissing
                    ? "CREATE TRIGGER ring_bell AFTER INSERT ON \(schema).enrichment_queue FOR EACH STATEMENT EXECUTE FUNCTION \(schema).ring_bell();"
                    : "ALTER TABLE \(schema).enrichment_queue ENABLE TRIGGER ring_bell;"))
    }

    private func health(_ session: Session, _ server: ServerFacts) async throws {
        if let bloat = try await session.query(Statements.queueBloat).first,
            let more = try await session.query(Statements.doctorVacuum).first
        {
            add(try VacuumFacts(bloat, more).finding(schema: settings.schema, role: server.role))
        }
        guard let control = try await session.query(Statements.controlShow).first else { return }
        if try control.boolean("paused") {
            add(
                .warning(
                    "workers", "paused by \(try control.textIfPresent("paused_by") ?? "somebody")",
                    next: "engagement-worker resume"))
        }
    }
}

/// What is not as the last migration left it.
struct SchemaDrift: Equatable, Sendable {
    var kind: String
    var name: String
    var isMissing: Bool

    /// All that is compared. Of triggers it is whether they are there and on; constraints other than keys, and defaults, are not noted.
    static let none =
        "tables, columns, indexes, views, functions, and which triggers are on: as the last migration left them"

    /// Without a table, a column or a function nothing works; anything else may have been meant.
    static func finding(_ all: [SchemaDrift], schema: String) -> Finding {
        guard !all.isEmpty else { return .ok("drift", Self.none) }
        let names = all.map { "\($0.kind) \($0.name) is \($0.isMissing ? "missing" : "changed")" }
        let text = names.prefix(5).joined(separator: "; ") + (names.count > 5 ? " and \(names.count - 5) more" : "")
        let breaks = all.contains { $0.isMissing && ["table", "column", "function"].contains($0.kind) }
        if breaks {
            return .failure(
                "drift", text,
                next: "engagement-worker migrate --sql prints how each was made: make it again in \(schema)")
        }
        return .warning(
            "drift", text, next: "if it was not meant: engagement-worker migrate --sql prints how each was made")
    }
}

extension SchemaError {
    fileprivate var isOutdated: Bool {
        if case .outdated = self { return true }
        return false
    }
}
