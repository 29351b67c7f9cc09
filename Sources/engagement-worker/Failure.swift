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
        case .readOnlyTransaction?:
            self.init(
                .databaseUnreachable, "the database takes no writes: \(error)",
                hint: "point DATABASE_URL at the primary, or name all servers: host=one,two")
        case .lockNotAvailable?:
            self.init(
                .databaseUnreachable, "somebody holds a lock on what is needed: \(error)",
                hint: "try again; pg_stat_activity and pg_locks show who it is")
        case .queryCancelled?:
            self.init(
                .databaseUnreachable, "the statement took longer than it may, or somebody cancelled it: \(error)",
                hint: "try again; --statement-timeout says how long a statement may take")
        case .tooManyConnections?:
            self.init(
                .databaseUnreachable, "the server takes no more connections: \(error)",
                hint: "raise max_connections, or see what holds them: pg_stat_activity")
        case .cannotConnectNow?:
            self.init(
                .databaseUnreachable, "the server starts, stops or recovers: \(error)",
                hint: "try again when it is ready; its log says what it does")
        case _ where error.isConnectionLoss:
            self.init(
                .databaseUnreachable, "the database is not reached: \(error)",
                hint: "see that the server runs, and is no standby, and correct host and port in DATABASE_URL")
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

/// Writes to standard error, where everything goes that is no result. Whether anybody reads it changes nothing.
func writeError(_ text: String) { _ = write(text, to: 2) }

/// Writes a result at once, where `print` would keep it back until the end when nobody's terminal is behind it.
///
/// - Parameter endsWithoutReader: true where the result is all that the command is for: without a reader it ends as other
///   programs do, by SIGPIPE and without a word. False where it has something to end.
func writeOutput(_ text: String, endsWithoutReader: Bool = true) {
    let error = write(text, to: 1)
    guard error != 0, endsWithoutReader else { return }
    if error == EPIPE {
        var mask = sigset_t()
        sigaddset(&mask, SIGPIPE)
        pthread_sigmask(SIG_UNBLOCK, &mask, nil)
        signal(SIGPIPE, SIG_DFL)
        raise(SIGPIPE)
        _exit(128 + SIGPIPE)
    }
    Failure(.configuration, "standard output cannot be written: \(String(cString: strerror(error)))").exit()
}

/// 0, or the number of the error.
private func write(_ text: String, to descriptor: Int32) -> Int32 {
    var bytes = Array(text.utf8)[...]
    while !bytes.isEmpty {
        let count = bytes.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
        if count > 0 {
            bytes = bytes.dropFirst(count)
        } else if count < 0, errno == EAGAIN {
            // Whoever shares the terminal may have made it one that does not wait.
            var waiting = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
            poll(&waiting, 1, -1)
        } else if count == 0 || errno != EINTR {
            return count == 0 ? EIO : errno
        }
    }
    return 0
}
