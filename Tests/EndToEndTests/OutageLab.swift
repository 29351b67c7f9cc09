import AskElephant
import Enrichment
import Simulator
import TestKit
import Testing

/// A worker in this process, on a server of the test's own that the test takes away from it, and what must hold of every
/// outage: told once, heartbeats throughout, nobody charged, nothing lost, and an end without help.
final class OutageLab: Sendable {
    let cluster: PrivateCluster
    let simulator: Simulator
    let worker: TestWorker
    var log: RecordedLog { worker.log }

    private init(_ cluster: PrivateCluster, _ simulator: Simulator, _ worker: TestWorker) {
        (self.cluster, self.simulator, self.worker) = (cluster, simulator, worker)
    }

    /// - Parameters:
    ///   - conninfo: another way to the server than its own.
    ///   - prepare: what the server needs before the worker starts.
    static func run(
        _ cluster: PrivateCluster, conninfo: String? = nil, latency: Duration = .milliseconds(5),
        change: @Sendable (inout Worker.Configuration) -> Void = { _ in },
        _ test: (OutageLab) async throws -> Void
    ) async throws {
        let simulator = Simulator(seed: 7, settings: Stage.small)
        try await simulator.start()
        simulator.world.setLatency(latency)
        try await cluster.run("INSERT INTO credentials (name, state) VALUES ('default', 'ok') ON CONFLICT DO NOTHING")
        let worker = try await TestWorker(
            Database.Configuration(conninfo: conninfo ?? cluster.conninfo, schema: "askelephant"), simulator,
            credentials: CredentialSource { Secret(Simulator.demoToken) }
        ) { configuration in
            configuration.heartbeatInterval = .milliseconds(100)
            configuration.drainTimeout = .seconds(5)
            change(&configuration)
        }
        let result: Result<Void, any Error>
        do { result = .success(try await test(OutageLab(cluster, simulator, worker))) } catch {
            result = .failure(error)
        }
        try await worker.stop()
        await simulator.stop()
        try result.get()
    }

    static func insertion(_ simulator: Simulator, _ range: Range<Int>) -> String {
        "INSERT INTO enrichment_queue (engagement_id) VALUES "
            + range.map { "('\(simulator.world.id($0))')" }.joined(separator: ",")
    }

    func insert(_ range: Range<Int>) async throws { try await cluster.run(Self.insertion(simulator, range)) }

    /// Waits for the one loss and for heartbeats that say so.
    func waitForLoss(_ causes: Set<String>, within limit: Duration = .seconds(30)) async throws {
        try await eventually(within: limit, "db.lost") { !log.records(of: .dbLost).isEmpty }
        try await eventually("heartbeats during the outage") {
            log.records(of: .workerHeartbeat).count { $0.fields[.db] == .string("lost") } >= 3
        }
        let cause = log.records(of: .dbLost)[0].fields[.cause]
        #expect(causes.contains { cause == .string($0) }, "\(String(describing: cause))")
    }

    /// Waits for the end of the one outage, and until all work is done; looks at everything.
    func expectRecovery(engagements: Int, within limit: Duration = .seconds(10)) async throws {
        try await eventually(within: limit, "db.restored") { log.records(of: .dbRestored).count == 1 }
        try await eventually(within: .seconds(60), "the queue is empty") {
            try await cluster.value(Stage.jobs) == "0"
        }
        #expect(try await cluster.value("SELECT count(*) FROM engagements") == String(engagements))
        try await expectNothingCharged()
        #expect(log.records(of: .dbLost).count == 1)
        #expect(log.records(of: .dbRestored).count == 1)
    }

    func expectNothingCharged() async throws {
        #expect(try await cluster.value("SELECT count(*) FROM dead_letters") == "0")
        #expect(try await cluster.value("SELECT count(*) FROM enrichment_queue WHERE attempts > 0") == "0")
        for outcome in [JobDone.Outcome.retry, .dead] { #expect(log.done(outcome).isEmpty) }
        #expect(log.records(of: .jobStuck).isEmpty)
    }
}
