import Glibc
import Simulator
import Synchronization
import TestKit

/// A place where one worker after the other runs, and the lines from there to Postgres and to the API.
final class ChaosSlot: Sendable {
    /// One process from its start to its end.
    struct Life: Sendable {
        let process: WorkerProcess
        var wasKilled = false
        var wasFrozen = false
        var wasAsked = false
    }

    static let lease = Duration.seconds(5)
    static let requestTimeout = Duration.seconds(4)

    let database: FaultProxy
    let api: FaultProxy
    private let environment: [String: String]
    private let state = Mutex<[Life]>([])

    init(_ cluster: PrivateCluster, _ simulator: Simulator, _ token: ChaosToken) throws {
        database = try FaultProxy(to: cluster.portNumber)
        api = try FaultProxy(to: simulator.port)
        environment = [
            "DATABASE_URL": cluster.conninfo(through: database),
            "ASKELEPHANT_BASE_URL": "http://127.0.0.1:\(api.port)/api",
            "ASKELEPHANT_TOKEN_FILE": token.path, "ENGAGEMENT_WORKER_LOG_LEVEL": "debug",
        ]
    }

    private static let flags = [
        "--lease", "5s", "--request-timeout", "4s", "--backoff-base", "50ms", "--backoff-cap", "1s", "--max-attempts",
        "50", "--concurrency", "16", "--start-timeout", "600s", "--drain-timeout", "5s",
    ]

    /// Starts a worker; an earlier one may still be ending.
    @discardableResult
    func start(pollInterval: String = "1s") throws -> WorkerProcess {
        let process = try WorkerProcess(
            ["run", "--poll-interval", pollInterval] + Self.flags, environment: environment)
        state.withLock { $0.append(Life(process: process)) }
        return process
    }

    /// The one that was started last.
    var worker: WorkerProcess { state.withLock { $0.last!.process } }

    var lives: [Life] { state.withLock(\.self) }

    func kill() async throws {
        try await mark { $0.wasKilled = true }.kill9()
    }

    /// Notes what becomes of the one that was started last.
    private func mark(_ change: (inout Life) -> Void) -> WorkerProcess {
        state.withLock { lives in
            change(&lives[lives.count - 1])
            return lives[lives.count - 1].process
        }
    }

    /// Asks it to end.
    func term() {
        let process = mark { $0.wasAsked = true }
        process.signal(SIGTERM)
    }

    func freeze() async throws -> WorkerProcess {
        let process = mark { $0.wasFrozen = true }
        try await process.freeze()
        return process
    }

    /// Lines are as they should be.
    func heal() {
        for proxy in [database, api] {
            proxy.set(.none)
            proxy.stopSwallowing()
            proxy.releaseRequests()
        }
    }

    /// Ends every process and both proxies.
    func close() async {
        for life in lives where life.process.isRunning { try? await life.process.kill9() }
        database.stop()
        api.stop()
    }
}

struct ChaosFailure: Error, CustomStringConvertible {
    let description: String
    init(_ description: String) { self.description = description }
}
