import AskElephant
import Enrichment
import Postgres
import Simulator
import TestKit
import Testing

/// An API that is away as a whole, and failures that are a job's own.
@Suite(.serialized) struct APIAwayTests {
    private static let held = "SELECT count(*) FROM enrichment_queue WHERE leased_by IS NOT NULL"
    private static let charged = "SELECT count(*) FROM enrichment_queue WHERE attempts > 0"

    /// Two workers, a long queue, and an API that answers nothing but errors: one try a second of both together.
    @Test(.timeLimit(.minutes(5)), arguments: [Switches.Fault.unavailable, .page, .badGateway])
    func anAPIThatIsAwayIsTriedOnceASecondAndChargesNobody(_ fault: Switches.Fault) async throws {
        try await ScopeLab.run { lab in
            try await lab.database.knowCredential()
            lab.world.setLatency(.milliseconds(10))
            let workers = [try await lab.worker(Self.beating), try await lab.worker(Self.beating)]
            try await lab.insert(lab.ids(0..<2_000))
            try await lab.world.waitForRequests(total: 200)
            lab.world.setFault(fault)
            for worker in workers {
                try await eventually("api.lost") { worker.log.records(of: .apiLost).count == 1 }
            }
            // What was out when the last worker found out has come back.
            try await eventually(within: .seconds(90), "no storm is left") {
                try await lab.database.count(Self.held) <= 8
            }
            // Each of these may have been about to send one.
            try await lab.world.waitForRequests(total: lab.world.totalRequests + 8)
            let before = lab.world.totalRequests
            let start = ContinuousClock.now
            try await lab.world.waitForRequests(total: before + 6)
            let seconds = (ContinuousClock.now - start) / .seconds(1)
            #expect(seconds >= 4.5, "six requests took \(seconds) s")
            try await workers[0].log.beats(1)
            let beat = try #require(workers[0].log.records(of: .workerHeartbeat).last)
            #expect(beat.fields[.verdict] == .string("blocked"))
            #expect(beat.fields[.limitedBy] == .string("api"))
            #expect(try await lab.database.count(Self.charged) == 0)

            lab.world.clearOverrideOfAll()
            try await lab.database.wait(for: "SELECT count(*) FROM engagements", toBe: "2000", within: .seconds(120))
            #expect(try await lab.database.count("SELECT count(*) FROM dead_letters") == 0)
            for worker in workers {
                #expect(worker.log.records(of: .apiLost).count == 1)
                #expect(worker.log.records(of: .apiRestored).count == 1)
                #expect(worker.log.done(.retry).isEmpty && worker.log.done(.dead).isEmpty)
                try await worker.stop()
            }
        }
    }

    /// Everything hangs, the page that is asked for then, too, and as soon as that was asked for everything is served again: what
    /// had hung beside the page was no job's own.
    @Test func whatHungWithThePageIsNoJobsOwn() async throws {
        try await ScopeLab.run { lab in
            try await lab.database.knowCredential()
            lab.world.setLatency(.milliseconds(10))
            let worker = try await lab.worker { $0.client.requestTimeout = .seconds(1) }
            // So many that all may be out at a time.
            try await lab.insert(lab.ids(0..<200))
            try await lab.database.wait(for: "SELECT count(*) FROM engagements", toBe: "200")
            lab.world.setLatency(.seconds(60))
            try await lab.insert(lab.ids(200..<240))
            try await eventually("the page is asked for") { lab.world.requests.contains(where: \.isList) }
            lab.world.setLatency(.milliseconds(10))
            try await lab.database.wait(for: "SELECT count(*) FROM engagements", toBe: "240")
            try await worker.stop()
            #expect(worker.log.records(of: .apiLost).count == 1)
            #expect(
                worker.log.done(.released).count { $0.fields[.cause] == "network" || $0.fields[.cause] == "timeout" }
                    > 1)
            #expect(worker.log.done(.retry).isEmpty)
        }
    }

    /// The row by which workers take turns at trying is locked by a person: it is tried all the same.
    @Test func anAPIThatIsBackIsFoundThoughAPersonLocksTheRow() async throws {
        try await ScopeLab.run { lab in
            try await lab.database.knowCredential()
            let worker = try await lab.worker()
            lab.world.setFault(.unavailable)
            try await lab.insert(lab.ids(0..<20))
            try await eventually("api.lost") { worker.log.records(of: .apiLost).count == 1 }
            let person = try await lab.database.connect()
            try await person.run(script: "BEGIN; SELECT FROM credentials FOR UPDATE", name: "lock")
            lab.world.clearOverrideOfAll()
            try await eventually("api.restored") { worker.log.records(of: .apiRestored).count == 1 }
            try await person.run(script: "ROLLBACK", name: "unlock")
            try await lab.database.wait(for: "SELECT count(*) FROM engagements", toBe: "20")
            try await worker.stop()
            await person.close()
        }
    }

    /// Nobody is there at all: the connection is refused.
    @Test func anAPIThatNobodyServesIsWaitedForAndNotStormed() async throws {
        try await ScopeLab.run { lab in
            try await lab.database.knowCredential()
            let port = Int(lab.simulator.port)
            let worker = try await lab.worker()
            await lab.simulator.stop()
            let (jobs, away) = (size("TEST_JOBS", or: 500), size("TEST_AWAY_SECONDS", or: 3))
            try await lab.insert(lab.ids(0..<jobs))
            try await eventually("api.lost") { worker.log.records(of: .apiLost).count == 1 }
            // What was out when it found out has come back.
            try await eventually("no storm is left") { try await lab.database.count(Self.held) <= 4 }
            let (before, start) = (worker.log.records(of: .request).count, ContinuousClock.now)
            try await eventually(within: .seconds(away + 30), "\(away) s are over") {
                ContinuousClock.now - start >= .seconds(away)
            }
            let tries = worker.log.records(of: .request).count - before
            let seconds = (ContinuousClock.now - start) / .seconds(1)
            try #require((1.0...seconds + 1).contains(Double(tries)), "\(tries) requests in \(seconds) s")
            try #require(try await lab.database.count(Self.charged) == 0)
            // It comes back with a limit that a storm would meet.
            lab.world.setRateLimit(perSecond: 100, .bucket)
            try await lab.simulator.start(port: port)
            try await eventually("api.restored") { worker.log.records(of: .apiRestored).count == 1 }
            try await lab.database.wait(
                for: "SELECT count(*) FROM engagements", toBe: String(jobs), within: .seconds(60 + jobs / 50))
            let statuses = lab.world.requests.map(\.status)
            let refused = statuses.count { $0 == 429 }
            // Each answer lets a third of a request more be out: so many can be when the limit is met.
            let served = statuses.prefix { $0 != 429 }.count { $0 == 200 }
            try #require(refused <= 2 + served / 3 + 10 + jobs / 100, "\(refused) refused, \(served) served before")
            try #require(worker.log.records(of: .apiLost).count == 1)
            printFigure(
                "away: nobody serves for \(away) s, \(jobs) jobs wait: \(tries) requests meanwhile, 0 charged; back at a limit"
                    + " of 100/s: all done, \(refused) answered 429")
            try await worker.stop()
        }
    }

    /// Two workers that may ask forty times a second together: what is left to do does not storm the API that is back.
    @Test func anAPIThatIsBackIsNotStormedByAllWorkersAtOnce() async throws {
        let limit = 40
        try await ScopeLab.run { lab in
            try await lab.database.knowCredential()
            let port = Int(lab.simulator.port)
            var workers: [TestWorker] = []
            for _ in 0..<2 { workers.append(try await lab.worker { $0.maxRequestsPerSecond = Double(limit) }) }
            try await lab.insert(lab.ids(0..<300))
            try await lab.world.waitForRequests(total: 60)
            // It goes at once: closing one connection after the other, it would still serve some.
            lab.world.setFault(.gatewayTimeout)
            await lab.simulator.stop()
            lab.world.clearOverrideOfAll()
            for worker in workers {
                try await eventually("api.lost") { worker.log.records(of: .apiLost).count == 1 }
            }
            try await eventually("no storm is left") { try await lab.database.count(Self.held) <= 8 }
            let before = lab.world.totalRequests
            try await lab.simulator.start(port: port)
            try await lab.database.wait(for: "SELECT count(*) FROM engagements", toBe: "300", within: .seconds(120))
            let after = lab.world.requests.dropFirst(before)
            let first = try #require(after.first).time
            let atOnce = after.count { $0.time < first + .seconds(1) }
            // The trial itself, and turns that are used a little late.
            #expect(atOnce <= limit + limit / 10, "\(atOnce) requests in the first second")
            #expect(try await lab.database.count("SELECT count(*) FROM dead_letters") == 0)
            for worker in workers {
                #expect(worker.log.done(.retry).isEmpty)
                try await worker.stop()
            }
        }
    }

    /// It fails while others are served: its own, though nobody else is there at that moment.
    @Test func aFailureWhileTheListIsServedIsTheJobsOwn() async throws {
        try await ScopeLab.run { lab in
            try await lab.database.knowCredential()
            let id = lab.world.id(0)
            lab.world.setFault(.internalError, of: id)
            let worker = try await lab.worker {
                $0.maxAttempts = 3
                $0.backoff = Backoff(base: .milliseconds(10), cap: .milliseconds(10))
            }
            try await lab.insert([id])
            try await lab.database.wait(for: "SELECT cause FROM dead_letters", toBe: "api")
            #expect(try await lab.database.value("SELECT attempts::text FROM dead_letters") == "3")
            #expect(worker.log.records(of: .apiLost).isEmpty)
            try await worker.stop()
        }
    }

    /// The list is broken and one job fails: nothing shows that the API serves, until another job does.
    @Test func aBrokenListStopsNobody() async throws {
        try await ScopeLab.run { lab in
            try await lab.database.knowCredential()
            lab.world.setFault(.internalError)
            let worker = try await lab.worker()
            try await lab.insert([lab.world.id(0)])
            try await eventually("api.lost") { worker.log.records(of: .apiLost).count == 1 }
            // From now on only this one fails; the list is not asked any more.
            lab.world.clearOverrideOfAll()
            lab.world.setFault(.internalError, of: lab.world.id(0))
            try await lab.insert(lab.ids(1..<20))
            try await lab.database.wait(for: "SELECT count(*) FROM engagements", toBe: "19")
            #expect(worker.log.records(of: .apiRestored).count == 1)
            try await worker.stop()
        }
    }

    private static func beating(_ configuration: inout Worker.Configuration) {
        configuration.heartbeatInterval = .milliseconds(200)
    }
}
