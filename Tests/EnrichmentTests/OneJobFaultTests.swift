import Enrichment
import Simulator
import TestKit
import Testing

/// Faults of one job among others, met by a real worker.
@Suite struct OneJobFaultTests {
    /// `faults.md` 4: the lease is renewed, so nobody else takes the job and it is asked for once.
    @Test func aFetchLongerThanTheLeaseIsOneFetch() async throws {
        try await ScopeLab.run { lab in
            try await lab.database.knowCredential()
            let slow = lab.world.id(0)
            lab.world.setLatency(slow, .seconds(12))
            let workers = [
                try await lab.worker { $0.lease = .seconds(5) }, try await lab.worker { $0.lease = .seconds(5) },
            ]
            try await lab.insert([slow])
            try await lab.world.waitForRequest(slow)
            try await lab.database.wait(for: "SELECT count(*) FROM engagements", toBe: "1")
            try await lab.drained()
            #expect(lab.world.requests(for: slow).count == 1)
            for worker in workers { try await worker.stop() }
            #expect(workers.flatMap { $0.log.done(.enriched) }.count == 1)
            #expect(workers.flatMap { $0.log.done(.leaseLost) }.isEmpty)
        }
    }

    /// `faults.md` 6: of a hundred that are written together one is another worker's by now.
    @Test func oneStaleRowOfABatchIsLostAlone() async throws {
        try await ScopeLab.run { lab in
            try await lab.database.knowCredential()
            let ids = lab.ids(0..<100)
            for id in ids { lab.world.hold(id) }
            let worker = try await lab.worker { $0.concurrency = 100 }
            try await lab.insert(ids)
            try await lab.world.waitForRequests(total: 100)
            try await lab.database.run(
                """
                UPDATE enrichment_queue SET claims = claims + 1, leased_by = 1, available_at = now() + interval '1 hour'
                WHERE engagement_id = '\(ids[42])'
                """)
            for id in ids { lab.world.releaseHold(id) }
            try await lab.database.wait(for: "SELECT count(*) FROM engagements", toBe: "99")
            try await eventually("each job has ended") { worker.log.records(of: .jobDone).count == 100 }
            #expect(worker.log.done(.enriched).count == 99)
            #expect(worker.log.done(.leaseLost).count == 1)
            let left = """
                SELECT string_agg(engagement_id || ' ' || leased_by || ' ' || attempts, ',') FROM enrichment_queue
                """
            #expect(try await lab.database.value(left) == "\(ids[42]) 1 0")
            #expect(try await lab.database.count("SELECT count(*) FROM engagements WHERE id = '\(ids[42])'") == 0)
            try await worker.stop()
        }
    }

    /// `faults.md` 46: half a body is none, though the connection ended in order; the job is tried again.
    @Test func aBodyThatIsCutOffIsAskedForAgain() async throws {
        try await ScopeLab.run { lab in
            try await lab.database.knowCredential()
            let id = lab.world.id(0)
            lab.world.setFault(.cutOff, of: id, times: 2)
            let worker = try await lab.worker { $0.backoff.base = .milliseconds(50) }
            try await lab.insert([id])
            try await lab.database.wait(for: "SELECT count(*) FROM engagements", toBe: "1")
            try await lab.drained()
            #expect(lab.world.requests(for: id).count == 3)
            #expect(worker.log.done(.retry).count == 2)
            let differences = try await TruthComparison([lab.world.truth(id)]).differences(in: lab.database)
            #expect(differences == [])
            try await worker.stop()
        }
    }

    /// `faults.md` 50 and 52: what no page states, by a worker: the cause in the dead letter, and the neighbour untouched.
    @Test(arguments: [(Switches.Fault.redirect, "contract"), (.page, "contract"), (.gatewayTimeout, "api")])
    func anAnswerThatIsNoneIsADeadLetter(_ fault: Switches.Fault, _ cause: String) async throws {
        try await ScopeLab.run { lab in
            try await lab.database.knowCredential()
            let ids = lab.ids(0..<2)
            lab.world.setFault(fault, of: ids[0])
            let worker = try await lab.worker {
                $0.backoff.base = .milliseconds(20)
                $0.maxAttempts = 2
            }
            try await lab.insert(ids)
            try await lab.database.wait(
                for: "SELECT string_agg(key || ' ' || cause, ',') FROM dead_letters", toBe: "\(ids[0]) \(cause)")
            try await lab.database.wait(for: "SELECT string_agg(id, ',') FROM engagements", toBe: ids[1])
            try await worker.stop()
        }
    }
}
