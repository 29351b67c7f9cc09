import AskElephant
import Enrichment
import Glibc
import Postgres

/// Why a command ends: what happened, what to do next, and the exit code.
struct Failure: Error {
    let code: ExitCode
    let message: String
    let hint: String?

    init(_ code: ExitCode, _ message: String, hint: String? = nil) {
        self.code = code
        self.message = message
        self.hint = hint
    }

    /// The one place where errors become exit codes.
    init(_ error: any Error) {
        switch error {
        case let failure as Failure: self = failure
        case let error as SettingsError:
            self.init(.configuration, error.description, hint: "engagement-worker config example")
        case let error as SchemaError: self.init(error)
        case let error as PostgresError: self.init(error)
        default: self.init(.defect, "\(error)")
        }
    }

    init(_ error: SchemaError) {
        switch error {
        case .unsupportedServer(let version, let encoding):
            self.init(
                .configuration,
                "PostgreSQL 15 or newer with UTF-8 is needed; this is \(version / 10_000) with \(encoding)"
            )
        case .outdated(let schema, let found, let expected):
            let state = found == 0 ? "has no tables of ours" : "is at version \(found)"
            self.init(
                .schemaMismatch, "the schema \(schema) \(state); this binary needs version \(expected)",
                hint: "engagement-worker migrate --schema '\(schema)'"
            )
        case .tooNew(let schema, let found, let expected):
            self.init(
                .schemaMismatch, "the schema \(schema) is at version \(found); this binary knows version \(expected)",
                hint: "install the engagement-worker that migrated it, or a newer one"
            )
        case .pooler:
            self.init(
                .configuration, "migrations need a direct connection, and this one goes through a transaction pooler",
                hint: "set ENGAGEMENT_WORKER_MIGRATE_DATABASE_URL to one that goes past the pooler"
            )
        case .changed(let version, let name):
            self.init(
                .schemaMismatch, "migration \(version) (\(name)) was applied from another text than this binary's",
                hint: "run the binary that applied it; schema_migrations.binary_version names it"
            )
        }
    }

    init(_ error: PostgresError) {
        switch error.sqlState {
        case .unknownDatabase? where error.isConnectionLoss:
            self.init(
                .configuration, "there is no such database: \(error)",
                hint: "correct the database's name in DATABASE_URL, or make it: createdb")
        case _ where error.isConfiguration:
            self.init(
                .configuration, "Postgres refuses this user or password: \(error)",
                hint: "correct user and password in DATABASE_URL; the server's pg_hba.conf says who may come")
        case .insufficientPrivilege?:
            self.init(
                .configuration, "the role lacks a right: \(error)",
                hint: "engagement-worker doctor names each right that is missing")
        case .undefinedTable?, .undefinedFunction?:
            self.init(
                .schemaMismatch, "the schema does not fit this binary: \(error)", hint: "engagement-worker migrate")
        case _ where error.isConnectionLoss:
            self.init(
                .databaseUnreachable, "the database is not reached: \(error)",
                hint: "see that the server runs, and correct host and port in DATABASE_URL")
        default: self.init(.defect, "Postgres: \(error)")
        }
    }

    var text: String {
        "Error: \(message)\n" + (hint.map { "Try:   \($0)\n" } ?? "")
    }

    /// Says so on standard error and ends the process.
    func exit() -> Never {
        let isJournal = LogOutput.isJournal(2, Setup.environment["JOURNAL_STREAM"])
        writeError(isJournal ? LogEncoder.prioritized(text, .error) : text)
        // What was printed goes out; nothing is torn down under threads that still connect.
        fflush(nil)
        _exit(code.rawValue)
    }
}

/// Writes to standard error, where everything goes that is no result.
func writeError(_ text: String) { write(text, to: 2) }

/// Writes a result at once, where `print` would keep it back until the end when nobody's terminal is behind it.
func writeOutput(_ text: String) { write(text, to: 1) }

private func write(_ text: String, to descriptor: Int32) {
    var bytes = Array(text.utf8)[...]
    while !bytes.isEmpty {
        let count = bytes.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
        guard count > 0 else { return }
        bytes = bytes.dropFirst(count)
    }
}
