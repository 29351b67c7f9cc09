import Enrichment
import Postgres
import Simulator
import TestKit
import Testing

/// Many rows of one engagement cost few requests, and no change is swallowed.
@Suite(.serialized) struct CoalesceTests {
    @Test(arguments: [1, 2]) func aBurstInOneStatementCostsAtMostTwoRequestsAWorker(_ workers: Int) async throws {
        try await withWorkers(workers) { lab in
            let id = lab.world.id(1)
            try await lab.enqueue(Array(repeating: id, count: 50))
            try await lab.settled()
            #expect((1...2 * workers).contains(lab.world.requestCount(for: id)))
            #expect(try await lab.database.count("SELECT count(*) FROM engagements") == 1)
        }
    }

    @Test(arguments: [1, 2]) func aBurstDuringTheRequestCostsAtMostTwoRequestsAWorker(_ workers: Int) async throws {
        try await withWorkers(workers) { lab in
            let id = lab.world.id(1)
            lab.world.hold(id)
            try await lab.enqueue([id])
            try await lab.world.waitForRequest(id)
            try await lab.database.run(
                """
                DO $$ BEGIN
                    FOR i IN 1..49 LOOP
                        INSERT INTO enrichment_queue (engagement_id, reason) VALUES ('\(id)', 'burst');
                        COMMIT;
                        PERFORM pg_sleep(0.004);
                    END LOOP;
                END $$
                """
            )
            try await lab.database.wait(for: "SELECT count(*) FROM enrichment_queue WHERE leased_by IS NULL", toBe: "0")
            lab.world.releaseHold(id)
            try await lab.settled()
            #expect((2...2 * workers).contains(lab.world.requestCount(for: id)))
        }
    }

    @Test func everyRowIsCountedOnceInTheLog() async throws {
        try await TruthLab.run { lab in
            let id = lab.world.id(1)
            lab.world.hold(id)
            try await lab.enqueue([id])
            try await lab.world.waitForRequest(id)
            try await lab.enqueue(Array(repeating: id, count: 49))
            lab.world.releaseHold(id)
            try await lab.settled()
            try await lab.worker.stop()
            let lines = lab.worker.log.records(of: .jobDone)
            #expect(lines.map { $0.fields[.coalesced] } == [.integer(0), .integer(48)])
        }
    }

    /// The inserter's transaction begins before the request and commits while it is out, or after it has ended. Its row
    /// speaks of a change that the first answer cannot hold.
    @Test(arguments: [true, false])
    func aChangeDuringTheRequestIsFetchedAgain(_ commitsWhileInHand: Bool) async throws {
        try await TruthLab.run { lab in
            let id = lab.world.id(1)
            let inserter = try await lab.database.connect()
            try await inserter.run(
                script: "BEGIN; INSERT INTO enrichment_queue (engagement_id) VALUES ('\(id)')", name: "test")
            lab.world.hold(id)
            try await lab.enqueue([id])
            try await lab.world.waitForRequest(id)
            lab.world.setVersion(id, 40)
            if commitsWhileInHand { try await inserter.run(script: "COMMIT", name: "test") }
            lab.world.releaseHold(id)
            if !commitsWhileInHand {
                try await lab.settled()
                try await inserter.run(script: "COMMIT", name: "test")
            }
            try await lab.settled()
            #expect(lab.world.requestCount(for: id) == 2)
            let differences = try await TruthComparison([lab.world.truth(id)], beside: .history)
                .differences(in: lab.database)
            #expect(differences.isEmpty, "\(differences)")
            await inserter.close()
        }
    }

    @Test func aRowForLaterIsNobodysDuplicate() async throws {
        try await TruthLab.run { lab in
            let id = lab.world.id(1)
            try await lab.database.run(
                """
                INSERT INTO enrichment_queue (engagement_id, available_at)
                VALUES ('\(id)', now()), ('\(id)', now() + interval '1 hour'), ('\(id)', now())
                """
            )
            try await lab.database.wait(for: "SELECT count(*) FROM enrichment_queue", toBe: "1")
            let untouched =
                "SELECT concat(claims, leased_by, available_at > now() + interval '50 minutes') FROM enrichment_queue"
            #expect(try await lab.database.value(untouched) == "0t")
            let before = lab.world.requestCount(for: id)
            try await lab.database.run("UPDATE enrichment_queue SET available_at = now()")
            try await lab.settled()
            #expect(lab.world.requestCount(for: id) == before + 1)
        }
    }

    /// A lab with one more worker, if so many are asked for.
    private func withWorkers(_ workers: Int, _ body: (TruthLab) async throws -> Void) async throws {
        try await TruthLab.run { lab in
            let second = workers == 2 ? try await TestWorker(lab.database, lab.simulator) : nil
            do {
                try await body(lab)
            } catch {
                _ = try? await second?.stop()
                throw error
            }
            try await second?.stop()
        }
    }
}
