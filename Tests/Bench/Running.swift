import Foundation
import Glibc
import TestKit

/// The release binary as a process, or several of them, on their way from a full queue to an empty one.
final class Running {
    struct Run {
        let jobs: Int
        let seconds: Double
        let workerCPU: Double
        let serverCPU: Double
        let peakMegabytes: Double

        var rate: Double { Double(jobs) / seconds }
        /// Of CPU for one engagement.
        var workerMicroseconds: Double { workerCPU / Double(jobs) * 1e6 }
        var serverMicroseconds: Double { serverCPU / Double(jobs) * 1e6 }
    }

    static let token = "sk-apik_bench.bench"

    private let ground: Ground
    private let workers: [WorkerProcess]

    /// A worker for each site, none of which has anything to do yet; stopped at the end.
    static func with(
        _ ground: Ground, _ sites: [Site], concurrency: Int = 64, flags: [String] = [],
        _ body: (Running) async throws -> Void
    ) async throws {
        let running = try await Running(ground, sites, ["--concurrency", String(concurrency)] + flags)
        let result: Result<Void, any Error>
        do { result = .success(try await body(running)) } catch { result = .failure(error) }
        for worker in running.workers { try await worker.kill9() }
        try result.get()
    }

    private init(_ ground: Ground, _ sites: [Site], _ flags: [String]) async throws {
        self.ground = ground
        // What the credential may read is known, so that no request goes out alone.
        try await ground.cluster.run(
            "INSERT INTO credentials (name, state) VALUES ('default', 'ok') ON CONFLICT (name) DO UPDATE SET state = 'ok'"
        )
        workers = try sites.map { site in
            try WorkerProcess(
                ["run"] + flags,
                environment: [
                    "DATABASE_URL": ground.cluster.conninfo, "ASKELEPHANT_BASE_URL": site.url,
                    "ASKELEPHANT_TOKEN": Self.token,
                ])
        }
        for worker in workers { try await worker.waitFor("worker.ready") }
    }

    private static let isEmpty =
        "SELECT NOT EXISTS (SELECT FROM enrichment_queue WHERE reason IS DISTINCT FROM 'not_ready')"

    /// Queues the ids in one transaction and waits until all are done; from its commit to the last one.
    func drain(_ ids: [String]) async throws -> Run {
        let (worker, server) = (workerCPU, ground.cpu)
        try await ground.enqueue(ids)
        let start = ContinuousClock.now
        while try await ground.cluster.value(Self.isEmpty) != "t" {
            guard ContinuousClock.now - start < .seconds(300) else { throw BenchError("not done after 300 s") }
            try await Task.sleep(for: .milliseconds(10))
        }
        let seconds = (ContinuousClock.now - start) / .seconds(1)
        guard try await ground.cluster.count("SELECT count(*) FROM dead_letters") == 0 else {
            throw BenchError("jobs died: \(workers[0].output.suffix(2_000))")
        }
        return Run(
            jobs: ids.count, seconds: seconds, workerCPU: workerCPU - worker, serverCPU: ground.cpu - server,
            peakMegabytes: peakMegabytes)
    }

    /// The share of a core that it takes once it sleeps, and its memory in MB.
    func idle(for duration: Duration) async throws -> (share: Double, megabytes: Double) {
        try await eventually("it sleeps") {
            try await self.ground.cluster.value(
                "SELECT idle_until > now() FROM workers ORDER BY started_at DESC LIMIT 1") == "t"
        }
        let before = workerCPU
        try await Task.sleep(for: duration)
        return ((workerCPU - before) / (duration / .seconds(1)), peakMegabytes)
    }

    private var workerCPU: Double { workers.map { ProcessTimes.cpu(of: $0.processID) }.reduce(0, +) }
    private var peakMegabytes: Double {
        workers.map { ProcessTimes.peakMegabytes(of: $0.processID) }.max() ?? 0
    }
}
