import Foundation
import Glibc
import TestKit

/// The release binary as a process, on its way from a full queue to an empty one.
final class Running {
    struct Run {
        let seconds: Double
        let workerCPU: Double
        let serverCPU: Double
        let peakMegabytes: Double
    }

    private let ground: Ground
    private let worker: WorkerProcess

    /// A worker that has nothing to do yet.
    init(_ ground: Ground, _ site: Site, _ flags: [String] = []) async throws {
        self.ground = ground
        // What the credential may read is known, so that no request goes out alone.
        try await ground.cluster.run(
            "INSERT INTO credentials (name, state) VALUES ('default', 'ok') ON CONFLICT (name) DO UPDATE SET state = 'ok'"
        )
        worker = try WorkerProcess(
            ["run"] + flags,
            environment: [
                "DATABASE_URL": ground.cluster.conninfo, "ASKELEPHANT_BASE_URL": site.url,
                "ASKELEPHANT_TOKEN": "sk-apik_bench.bench",
            ])
        try await worker.waitFor("worker.ready")
    }

    private static let isEmpty =
        "SELECT NOT EXISTS (SELECT FROM enrichment_queue WHERE reason IS DISTINCT FROM 'not_ready')"

    /// Queues the ids in one transaction and waits until all are done; from its commit to the last one.
    func drain(_ ids: [String]) async throws -> Run {
        let (worker, server) = (ProcessTimes.cpu(of: self.worker.processID), ground.cpu)
        try await ground.enqueue(ids)
        let start = ContinuousClock.now
        while try await ground.cluster.value(Self.isEmpty) != "t" {
            guard ContinuousClock.now - start < .seconds(300) else { throw BenchError("not done after 300 s") }
            try await Task.sleep(for: .milliseconds(10))
        }
        let seconds = (ContinuousClock.now - start) / .seconds(1)
        guard try await ground.cluster.count("SELECT count(*) FROM dead_letters") == 0 else {
            throw BenchError("jobs died: \(self.worker.output.suffix(2_000))")
        }
        return Run(
            seconds: seconds, workerCPU: ProcessTimes.cpu(of: self.worker.processID) - worker,
            serverCPU: ground.cpu - server, peakMegabytes: ProcessTimes.peakMegabytes(of: self.worker.processID))
    }

    /// The share of a core that it takes when it has nothing to do, and its memory in MB.
    func idle(for duration: Duration) async throws -> (share: Double, megabytes: Double) {
        let before = ProcessTimes.cpu(of: worker.processID)
        try await Task.sleep(for: duration)
        let cpu = ProcessTimes.cpu(of: worker.processID) - before
        return (cpu / (duration / .seconds(1)), ProcessTimes.peakMegabytes(of: worker.processID))
    }

    func stop() async throws { try await worker.kill9() }
}
