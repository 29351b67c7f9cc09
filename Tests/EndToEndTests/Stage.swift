import Enrichment
import Glibc
import Postgres
import Simulator
import Synchronization
import TestKit
import Testing

/// Where a test of processes plays: a database, a simulator, and the real binary between them.
final class Stage: Sendable {
    let database: TestDatabase
    let simulator: Simulator
    private let started = Mutex<[(process: WorkerProcess, isRun: Bool)]>([])

    var world: World { simulator.world }

    private init(seed: UInt64, settings: SimulatorSettings) async throws {
        database = try await TestDatabase()
        try await database.knowCredential()
        simulator = Simulator(seed: seed, settings: settings)
        try await simulator.start()
    }

    /// Runs the test; whatever becomes of it, ends every process, looks at all that they wrote, drops the database.
    static func run(
        seed: UInt64 = .random(in: 1...1_000_000), settings: SimulatorSettings = small,
        _ test: (Stage) async throws -> Void
    ) async throws {
        print("seed \(seed)")
        let stage = try await Stage(seed: seed, settings: settings)
        let result: Result<Void, any Error>
        do { result = .success(try await test(stage)) } catch { result = .failure(error) }
        await stage.close()
        try result.get()
    }

    /// Documents that cost little, for tests of many.
    static var small: SimulatorSettings {
        var settings = SimulatorSettings()
        settings.transcriptBytes = 50...100
        settings.children = 0...1
        settings.unfinishedPercent = 0
        return settings
    }

    // MARK: Processes

    /// The environment of a worker that finds the database and the simulator.
    var environment: [String: String] {
        [
            "DATABASE_URL": database.conninfo, "ASKELEPHANT_BASE_URL": simulator.baseURL,
            "ASKELEPHANT_TOKEN": Simulator.demoToken, "ENGAGEMENT_WORKER_LOG_LEVEL": "debug",
        ]
    }

    /// Starts the binary, through another program if one is given (``WorkerProcess``). A value that is nil takes the variable
    /// away.
    func start(
        _ arguments: [String], _ changes: [String: String?] = [:], through wrapper: [String] = [],
        input: String? = nil, output: WorkerProcess.Output = .file
    ) throws -> WorkerProcess {
        var environment = environment
        for (name, value) in changes { environment[name] = value }
        let process = try WorkerProcess(
            arguments, environment: environment, through: wrapper, input: input, output: output)
        started.withLock { $0.append((process, arguments.first == "run")) }
        return process
    }

    /// A `run`, ready when this returns.
    func worker(_ flags: [String] = [], _ changes: [String: String?] = [:]) async throws -> WorkerProcess {
        let process = try start(["run"] + flags, changes)
        try await process.waitFor("worker.ready")
        return process
    }

    struct Ended {
        let status: Int32
        let output: String
        let errors: String
    }

    /// Runs a command to its end.
    func command(
        _ arguments: [String], _ changes: [String: String?] = [:], input: String? = nil
    ) async throws -> Ended {
        let process = try start(arguments, changes, input: input)
        let status = try await process.exitStatus()
        return Ended(status: status, output: process.output, errors: process.errors)
    }

    // MARK: The queue

    func ids(_ range: Range<Int>) -> [String] { range.map { world.id($0) } }

    func insert(_ ids: [String]) async throws {
        for start in stride(from: 0, to: ids.count, by: 2_000) {
            let slice = ids[start..<min(start + 2_000, ids.count)]
            try await database.run(
                "INSERT INTO enrichment_queue (engagement_id) VALUES "
                    + slice.map { "('\($0)')" }.joined(separator: ","))
        }
    }

    /// Jobs in the queue, other than the workers' own looks at what is not ready.
    static let jobs = "SELECT count(*) FROM enrichment_queue WHERE reason IS DISTINCT FROM 'not_ready'"

    /// The queue is empty and no letter is dead.
    func drained(within limit: Duration = .seconds(60)) async throws {
        try await database.wait(for: Self.jobs, toBe: "0", within: limit)
        #expect(try await database.count("SELECT count(*) FROM dead_letters") == 0)
    }

    /// Waits until the process holds as many leases.
    func waitForLeases(_ count: Int, of worker: WorkerProcess) async throws {
        try await eventually("\(count) leases of \(worker.processID)") {
            try await self.leases(of: worker) >= count
        }
    }

    func leases(of worker: WorkerProcess, _ condition: String = "true") async throws -> Int {
        try await database.count(
            """
            SELECT count(*) FROM enrichment_queue
            WHERE leased_by = (SELECT boot_id FROM workers WHERE pid = \(worker.processID)) AND \(condition)
            """)
    }

    // MARK: -

    private func close() async {
        let processes = started.withLock(\.self)
        for (process, _) in processes where process.isRunning { try? await process.kill9() }
        let canaries = canaries
        for (process, isRun) in processes {
            // The standard output of the other commands is what was asked for, and no log.
            let text = process.errors + (isRun ? process.output : "")
            for canary in canaries {
                #expect(!text.contains(canary), "a process wrote \(canary)")
            }
        }
        await simulator.stop()
        await database.drop()
    }

    /// What may stand in no log: the token, every e-mail, every signed URL, words that only transcripts have.
    private var canaries: [String] {
        let spoken = (0..<20).compactMap { world.truth(world.id($0)).transcript?.split(separator: "\n").first }
        let words = spoken.compactMap { $0.split(separator: ": ").last.map(String.init) }
        return [Simulator.demoToken, "@people.example", "SIGNATURE-", "media.example"] + words
    }
}
