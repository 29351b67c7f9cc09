import Foundation
import Postgres
import Simulator
import TestKit
import Testing

@testable import Enrichment

/// What may go wrong between the claimer and the end.
@Suite(.serialized) struct StopTests {
    /// The worker is told to stop while its claim is on its way: the server has leased rows that the worker learns of only
    /// then. They go back at once, each with its line.
    @Test func rowsOfAClaimOnItsWayAreGivenBack() async throws {
        let database = try await TestDatabase()
        let simulator = Simulator(seed: 1)
        try await simulator.start()
        let proxy = try FaultProxy(to: try clusterPort())
        let worker = try await TestWorker(database, simulator) {
            $0.database.conninfo = "host=127.0.0.1 port=\(proxy.port) user=postgres dbname=\(database.name)"
        }
        proxy.set(.delay(.milliseconds(200)))
        let ids = (0..<20).map { simulator.world.id($0) }
        try await database.run(
            "INSERT INTO enrichment_queue (engagement_id) VALUES " + ids.map { "('\($0)')" }.joined(separator: ","))
        try await database.wait(for: "SELECT count(*) FROM enrichment_queue WHERE leased_by IS NOT NULL", toBe: "20")
        try await worker.stop()
        #expect(try await database.count("SELECT count(*) FROM enrichment_queue WHERE leased_by IS NOT NULL") == 0)
        let lines = worker.log.records(of: .jobDone)
        let rows = lines.reduce(0) { sum, line in
            guard case .integer(let more)? = line.fields[.coalesced] else { return sum }
            return sum + 1 + more
        }
        #expect(rows == 20)
        proxy.stop()
        await simulator.stop()
        await database.drop()
    }

    /// Somebody has the queue row locked for a moment just as its job ends, as the lease keeper does: the end waits for it.
    /// Passed over, the job would run again only when its lease is over.
    @Test func aShortLockDoesNotCostTheLease() async throws {
        try await TruthLab.run { lab in
            let id = lab.world.id(1)
            lab.world.hold(id)
            try await lab.enqueue([id])
            try await lab.world.waitForRequest(id)
            let other = try await lab.database.connect()
            try await other.run(script: "BEGIN; SELECT FROM enrichment_queue FOR UPDATE", name: "lock")
            lab.world.releaseHold(id)
            try await lab.database.wait(
                for:
                    "SELECT count(*) FROM pg_locks AS l JOIN pg_stat_activity AS a USING (pid) WHERE NOT l.granted AND a.application_name LIKE 'engagement-worker write%' AND a.datname = current_database()",
                toBe: "1", within: .seconds(10))
            try await other.run(script: "COMMIT", name: "unlock")
            try await lab.settled(within: .seconds(20))
            // The line follows the commit.
            try await eventually("its line") { lab.worker.log.done(.enriched).count == 1 }
            #expect(lab.worker.log.done(.leaseLost).isEmpty)
            await other.close()
        }
    }

    /// A slow API keeps a lane full; the claimer must not fall asleep over it and leave the work to a distant poll.
    @Test func aFullLaneIsNoReasonToSleep() async throws {
        let change: (inout Worker.Configuration) -> Void = {
            $0.concurrency = 8
            $0.pollInterval = .seconds(25)
        }
        try await TruthLab.run(change: change) { lab in
            lab.world.setLatency(.milliseconds(700))
            try await lab.enqueue((0..<80).map { lab.world.id($0) })
            try await lab.settled(within: .seconds(20))
            #expect(try await lab.database.count("SELECT count(*) FROM engagements") == 80)
        }
    }

    private func clusterPort() throws -> UInt16 {
        let words = TestCluster.conninfo("postgres").split(separator: " ")
        let port = words.first { $0.hasPrefix("port=") }?.dropFirst(5)
        return try #require(port.flatMap { UInt16($0) })
    }
}
