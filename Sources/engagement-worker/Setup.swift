import AskElephant
import Enrichment
import FoundationEssentials
import Glibc
import Logging
import Postgres
import Serving
import Synchronization

/// What the environment is to this process: read once, here.
enum Setup {
    static var environment: [String: String] { ProcessInfo.processInfo.environment }

    static func settings(_ options: SettingsOptions) throws -> Settings {
        try Settings.load(flags: options.flags, environment: environment)
    }

    static func log(_ settings: Settings, descriptor: Int32) -> LogOutput {
        LogOutput(
            format: settings.logFormat, level: settings.logLevel, color: settings.color, descriptor: descriptor,
            environment: environment
        )
    }

    /// The log of a process that serves until it is told to stop: what its libraries say stands in it, too. Once a process.
    static func serviceLog(_ settings: Settings) -> LogOutput {
        let output = log(settings, descriptor: 1)
        foldLibraries(into: output.log)
        return output
    }

    /// Without this swift-log would write lines of its own on standard error.
    static func foldLibraries(into log: Log) {
        let libraries = LibraryLog(log)
        LoggingSystem.bootstrap { libraries.handler($0) }
    }

    static func conninfo(_ settings: Settings) throws(Failure) -> String {
        guard let database = settings.database else {
            throw Failure(
                .configuration, "no database is named: DATABASE_URL (or libpq's PGHOST, PGDATABASE, …) is not set",
                hint: "DATABASE_URL=postgresql://user:password@host/database engagement-worker …"
            )
        }
        return database.reveal()
    }

    static func credentials(_ settings: Settings) throws(Failure) -> CredentialSource {
        switch settings.tokenSource {
        case .value(let token): return CredentialSource { token }
        case .file(let path): return CredentialSource { readToken(path) }
        case nil:
            throw Failure(
                .configuration, "no credential is named: set ASKELEPHANT_TOKEN_FILE or ASKELEPHANT_TOKEN",
                hint: "ASKELEPHANT_TOKEN_FILE=/path/to/token engagement-worker run"
            )
        }
    }

    /// The token in a file; nil while it is missing or empty, which is as good as a refused one.
    private static func readToken(_ path: String) -> Secret? {
        FileManager.default.contents(atPath: path).map { Secret(String(decoding: $0, as: UTF8.self)) }
    }

    /// The secrets in a file, one a line; none while it is missing.
    static func secretLines(_ path: String) -> [Secret] {
        let text = FileManager.default.contents(atPath: path).map { String(decoding: $0, as: UTF8.self) } ?? ""
        return text.split(whereSeparator: \.isNewline).compactMap { line in
            let secret = line.filter { !$0.isWhitespace }
            return secret.isEmpty ? nil : Secret(String(secret))
        }
    }

    static func write(_ text: String, to path: String) throws {
        try Data(text.utf8).write(to: URL(fileURLWithPath: path), options: .atomic)
    }

    static func isReadableByOthers(_ path: String) -> Bool {
        var status = stat()
        return stat(path, &status) == 0 && status.st_mode & S_IROTH != 0
    }

    /// Warns of a file with a secret that other users of the machine may read.
    static func warnIfExposed(_ path: String?, _ what: String, _ variable: String, _ log: Log) {
        guard let path, isReadableByOthers(path) else { return }
        log(
            .warning, .credentialExposed, "other users of this machine may read a file of secrets",
            [.hint: .string("chmod o-rwx the file of the \(what) that \(variable) names")])
    }

    /// - Parameter command: the name of a command that fetches and takes no jobs of the queue.
    static func worker(_ settings: Settings, command: String? = nil) throws -> Worker.Configuration {
        let client = Client.Configuration(
            baseURL: try BaseURL(settings.baseURL, allowInsecure: settings.allowInsecureBaseURL),
            userAgent: "engagement-worker/\(Version.current)"
        )
        if let file = settings.certificateFile, !FileManager.default.isReadableFile(atPath: file) {
            throw Failure(.configuration, "SSL_CERT_FILE names a file that cannot be read: \(file)")
        }
        var configuration = Worker.Configuration(database: try database(settings), client: client)
        configuration.client.certificateFile = settings.certificateFile
        configuration.client.requestTimeout = settings.requestTimeout
        configuration.client.maxBodyBytes = settings.maxDocumentBytes
        configuration.client.concurrency = settings.concurrency
        configuration.concurrency = settings.concurrency
        configuration.lease = settings.lease
        configuration.pollInterval = settings.pollInterval
        configuration.expand = settings.expand.compactMap(Expand.init)
        configuration.credentialName = settings.credentialName
        configuration.workspace = settings.workspace
        configuration.isConditional = settings.isConditional
        configuration.purgesOnScopeLoss = settings.onScopeLoss == .purge
        configuration.maxRequestsPerSecond = settings.maxRequestsPerSecond.map(Double.init)
        configuration.maxAttempts = settings.maxAttempts
        configuration.backoff = Backoff(base: settings.backoffBase, cap: settings.backoffCap)
        configuration.memoryBudget = settings.memoryBudget
        configuration.mediaLife = settings.mediaURLTTL
        configuration.transcriptLife = settings.transcriptRetention
        configuration.drainTimeout = settings.drainTimeout
        configuration.sweepInterval = settings.sweepInterval
        configuration.host = hostName
        configuration.processID = getpid()
        configuration.version = Version.current
        configuration.command = command
        return configuration
    }

    static func database(_ settings: Settings) throws(Failure) -> Database.Configuration {
        var database = Database.Configuration(conninfo: try conninfo(settings), schema: settings.schema)
        database.listenConninfo = settings.listenDatabaseURL?.reveal()
        database.statementTimeout = settings.statementTimeout
        database.writers = settings.writers
        return database
    }

    /// A connection for a one-shot command, after the check that the schema fits.
    ///
    /// - Parameters:
    ///   - statementTimeout: instead of the setting's, for what reads whole tables.
    ///   - writes: only a server that is no standby will do.
    ///   - report: is told when the connection breaks, and when there is another.
    static func connect(
        _ settings: Settings, statementTimeout: Duration? = nil, writes: Bool = false,
        report: @escaping @Sendable (Session.Event) -> Void = { _ in }
    ) async throws -> Session {
        var database = try database(settings)
        database.statementTimeout = statementTimeout ?? settings.statementTimeout
        var configuration = database.connection(role: "command")
        configuration.needsPrimary = writes
        // Works with a pooler and without one, and it is not worth finding out.
        configuration.isPooled = true
        let trouble = Mutex<PostgresError?>(nil)
        let session = Session(configuration) { event in
            switch event {
            case .lost(let error): trouble.withLock { $0 = error }
            case .restored: trouble.withLock { $0 = nil }
            case .pooled, .noted: break
            }
            report(event)
        }
        let reason = { @Sendable in trouble.withLock(\.self).map(Failure.init) }
        try await within(settings.startTimeout, because: reason) {
            let connection = try await session.current()
            try await Migrator.check(connection, schema: settings.schema)
        }
        return session
    }

    /// Does the work, or fails with exit code 69 when the database is not reached in the time; the work is then left to
    /// itself, since the process ends.
    ///
    /// - Parameter reason: what the last try failed with, if it is known.
    static func within(
        _ limit: Duration, because reason: @escaping @Sendable () -> Failure? = { nil },
        _ work: @escaping @Sendable () async throws -> Void
    ) async throws {
        let (ends, end) = AsyncThrowingStream<Void, any Error>.makeStream()
        Task {
            do {
                try await work()
                end.finish()
            } catch {
                end.finish(throwing: error)
            }
        }
        let alarm = Task {
            try await Task.sleep(for: limit)
            let reason = reason()
            end.finish(
                throwing: Failure(
                    .databaseUnreachable,
                    "the database was not reached within \(limit / .seconds(1)) s"
                        + (reason.map { ": \($0.message)" } ?? ""),
                    hint: reason?.hint ?? "check DATABASE_URL and the server; --start-timeout says how long to try"
                ))
        }
        defer { alarm.cancel() }
        for try await _ in ends {}
    }

    static var userName: String {
        guard let entry = getpwuid(geteuid()) else { return "uid \(geteuid())" }
        return String(cString: entry.pointee.pw_name)
    }

    static var hostName: String {
        var buffer = [CChar](repeating: 0, count: 256)
        guard gethostname(&buffer, buffer.count - 1) == 0 else { return "unknown" }
        return String(decoding: buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}
