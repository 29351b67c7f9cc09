import Enrichment
import Simulator
import TestKit
import Testing

/// The line from an INSERT to the rows, on real parts.
struct MainLineTests {
    @Test func insertedIDsBecomeRows() async throws {
        let database = try await TestDatabase()
        let simulator = Simulator(seed: 1)
        try await simulator.start()
        let worker = try await TestWorker(database, simulator)
        let ids = (0..<200).map { simulator.world.id($0) }
        try await database.run(
            "INSERT INTO enrichment_queue (engagement_id) VALUES " + ids.map { "('\($0)')" }.joined(separator: ","))
        let left = "SELECT count(*) FROM enrichment_queue WHERE reason IS DISTINCT FROM 'not_ready'"
        try await database.wait(for: left, toBe: "0")
        #expect(try await database.count("SELECT count(*) FROM engagements") == 200)
        #expect(try await database.count("SELECT count(*) FROM dead_letters") == 0)
        try await worker.stop()
        #expect(worker.log.records(of: .jobDone).count == 200)
        await simulator.stop()
        await database.drop()
    }
}
