import AskElephant
package import Enrichment
package import Simulator
import Synchronization

/// A worker in the test's own process, against a database and a simulator, with its log in memory.
package final class TestWorker: Sendable {
    package let worker: Worker
    package let log: RecordedLog
    private let running: Task<Worker.Ended, Never>

    /// Prepares and starts the worker; ready when this returns.
    ///
    /// - Parameter isNewCredential: nothing was ever read with it, so the first request goes out alone.
    package convenience init(
        _ database: TestDatabase, _ simulator: Simulator, token: String = Simulator.demoToken,
        credentials: CredentialSource? = nil, isNewCredential: Bool = false, once: Bool = false,
        change: (inout Worker.Configuration) -> Void = { _ in }
    ) async throws {
        if !isNewCredential { try await database.knowCredential() }
        try await self.init(
            database.configuration(), simulator, credentials: credentials ?? CredentialSource { Secret(token) },
            once: once, change: change)
    }

    /// The same on any database.
    package init(
        _ database: Database.Configuration, _ simulator: Simulator, credentials: CredentialSource, once: Bool = false,
        change: (inout Worker.Configuration) -> Void = { _ in }
    ) async throws {
        let baseURL = try BaseURL(simulator.baseURL)
        var configuration = Worker.Configuration(
            database: database,
            client: Client.Configuration(baseURL: baseURL, userAgent: "engagement-worker/test")
        )
        configuration.database.writers = 2
        change(&configuration)
        configuration.client.concurrency = configuration.concurrency
        let log = RecordedLog()
        let worker = Worker(configuration, credentials: credentials, log: log.log)
        try await worker.prepare()
        self.worker = worker
        self.log = log
        running = Task { await worker.run(once: once) }
    }

    /// Waits for the end by itself (`once`); the number of dead letters.
    package func finished() async throws -> Int { await running.value.dead }

    @discardableResult
    package func stop() async throws -> Int {
        worker.stop()
        return await running.value.dead
    }
}

extension TestDatabase {
    /// As if something had been read with the credential before.
    package func knowCredential() async throws {
        try await run("INSERT INTO credentials (name, state) VALUES ('default', 'ok') ON CONFLICT DO NOTHING")
    }
}

/// The log's records in memory.
package final class RecordedLog: Sendable {
    private let kept = Mutex<[LogRecord]>([])

    package init() {}

    package var log: Log { Log(minimumLevel: .debug) { record in self.kept.withLock { $0.append(record) } } }

    package var records: [LogRecord] { kept.withLock(\.self) }

    package func records(of event: LogEvent) -> [LogRecord] { records.filter { $0.event == event } }

    /// Waits for so many more heartbeats: time goes by that something else did not use.
    package func beats(_ count: Int) async throws {
        let start = records(of: .workerHeartbeat).count
        try await eventually("\(count) heartbeats") { records(of: .workerHeartbeat).count >= start + count }
    }

    /// The `job.done` records with this outcome.
    package func done(_ outcome: JobDone.Outcome) -> [LogRecord] {
        records(of: .jobDone).filter { $0.fields[.outcome] == .string(outcome.rawValue) }
    }
}
