import Enrichment
import Foundation
import Simulator
import TestKit
import Testing

/// The API's rate limit, met by real workers. `Tests/endurance` runs them for 120 s.
@Suite(.serialized) struct GovernorTests {
    private static let seconds = size("TEST_LIMIT_SECONDS", or: 20)

    struct Case: Sendable, CustomTestStringConvertible {
        let kind: RateLimit.Kind
        let workers: Int
        var testDescription: String { "\(kind), \(workers) workers" }
    }

    /// The limit is drawn from the seed and no worker knows it.
    @Test(arguments: [
        Case(kind: .bucket, workers: 1), Case(kind: .bucket, workers: 3), Case(kind: .window, workers: 1),
        Case(kind: .window, workers: 3),
    ])
    func workersFindTheLimitTogether(_ test: Case) async throws {
        let seed = TruthSeed.draw("limits")
        var random = SeededRandom(seed: seed)
        // Beside other tests a machine may not reach more.
        let limit = Int.random(in: Self.seconds < 60 ? 20...50 : 50...200, using: &random)
        try await ScopeLab.run(seed: seed) { lab in
            lab.world.setLatency(.milliseconds(20))
            lab.world.setRateLimit(perSecond: limit, test.kind)
            try await lab.database.knowCredential()
            try await lab.insert(lab.ids(0..<(limit * (Self.seconds + 5))))
            var workers: [TestWorker] = []
            let start = ContinuousClock.now
            for _ in 0..<test.workers { workers.append(try await lab.worker()) }
            try await eventually(within: .seconds(Self.seconds + 5), "the time is over") {
                ContinuousClock.now - start >= .seconds(Self.seconds)
            }
            let statuses = lab.world.requests.compactMap(\.status)
            let elapsed = (ContinuousClock.now - start) / .seconds(1)
            let served = Double(statuses.count { $0 == 200 }) / (Double(limit) * elapsed)
            let refused = Double(statuses.count { $0 == 429 }) / Double(statuses.count)
            let (share, percent) = (Self.rounded(served, 3), Self.rounded(refused * 100, 2))
            printFigure(
                "limit \(limit)/s \(test.testDescription) \(Self.seconds) s: \(share) of it, \(percent) % answered 429")
            #expect(refused > 0, "no limit was met")
            if Self.seconds >= 120 { #expect(served >= 0.9 && refused <= 0.01) }
            let charged = "SELECT count(*) FROM enrichment_queue WHERE attempts > 0"
            #expect(try await lab.database.count(charged) == 0)
            #expect(try await lab.database.count("SELECT count(*) FROM dead_letters") == 0)
            for worker in workers {
                #expect(worker.log.records(of: .rateLimited).count == 1)
                try await worker.stop()
            }
        }
    }

    private static func rounded(_ number: Double, _ digits: Int) -> String {
        number.formatted(.number.precision(.fractionLength(digits)))
    }

    /// One worker is told to wait; the other asks nothing either, though it met no limit.
    @Test func aPauseHoldsForAllWorkersOfTheCredential() async throws {
        try await ScopeLab.run { lab in
            try await lab.database.knowCredential()
            let workers = [try await lab.worker(), try await lab.worker()]
            let id = lab.world.id(0)
            lab.world.override(id, SimResponse(status: 429, headers: [("Retry-After", "3")]), times: 1)
            try await lab.insert([id])
            try await lab.database.wait(for: "SELECT (paused_until > now())::text FROM credentials", toBe: "true")
            let before = lab.world.totalRequests
            let paused = ContinuousClock.now
            try await lab.insert(lab.ids(1..<200))
            try await lab.world.waitForRequests(total: before + 1)
            #expect(ContinuousClock.now - paused > .seconds(2.5), "it was sent before the pause was over")
            try await lab.database.wait(for: "SELECT count(*) FROM engagements", toBe: "200", within: .seconds(120))
            for worker in workers {
                #expect(worker.log.records(of: .rateLimited).count == 1)
                #expect(worker.log.done(.retry).isEmpty)
                try await worker.stop()
            }
        }
    }

    /// With a limit of our own the API never has to say anything.
    @Test func aConfiguredLimitIsThatOfAllWorkersTogether() async throws {
        try await ScopeLab.run { lab in
            try await lab.database.knowCredential()
            try await lab.insert(lab.ids(0..<100))
            let start = ContinuousClock.now
            var workers: [TestWorker] = []
            for _ in 0..<3 { workers.append(try await lab.worker { $0.maxRequestsPerSecond = 25 }) }
            try await lab.database.wait(for: "SELECT count(*) FROM engagements", toBe: "100")
            let seconds = (ContinuousClock.now - start) / .seconds(1)
            #expect(seconds > 99.0 / 25 - 0.2, "100 requests took \(seconds) s")
            for worker in workers {
                #expect(worker.log.records(of: .rateLimited).isEmpty)
                try await worker.stop()
            }
        }
    }
}
