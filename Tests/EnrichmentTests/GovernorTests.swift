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
            let (before, now) = (lab.world.totalRequests, ContinuousClock.now)
            let left = try await lab.database.value(
                "SELECT extract(epoch FROM paused_until - clock_timestamp()) FROM credentials")
            let end = now + .seconds(try #require(left.flatMap(Double.init)))
            try await lab.insert(lab.ids(1..<200))
            try await lab.world.waitForRequests(total: before + 1)
            #expect(lab.world.requests[before].time > end - .milliseconds(100), "it was sent before the pause was over")
            try await lab.database.wait(for: "SELECT count(*) FROM engagements", toBe: "200", within: .seconds(120))
            for worker in workers {
                #expect(worker.log.records(of: .rateLimited).count == 1)
                #expect(worker.log.done(.retry).isEmpty)
                try await worker.stop()
            }
        }
    }

    struct Form: Sendable, CustomTestStringConvertible {
        let headers: [(String, String)]
        /// What it asks for, between 1 s and 15 min.
        let seconds: Double
        var testDescription: String { headers.map { "\($0.0): \($0.1)" }.joined(separator: ", ") }

        init(_ seconds: Double, _ values: String...) {
            headers = values.map { ("Retry-After", $0) }
            self.seconds = seconds
        }

        /// A date, as far from the answer's own.
        init(_ seconds: Double, date: String) {
            headers = [("Date", "Sun, 06 Nov 1994 08:49:37 GMT"), ("Retry-After", date)]
            self.seconds = seconds
        }
    }

    /// Every form of the header, as a worker obeys it: nothing is asked before that time, and the job is not charged.
    @Test(arguments: [
        Form(3, "3"), Form(1, "0"), Form(1, "-5"), Form(2, "1.5"), Form(900, "1000000000"), Form(1, "1e9"),
        Form(1, "soon"),
        Form(3, "1", "3"), Form(1), Form(2, date: "Sun, 06 Nov 1994 08:49:39 GMT"),
        Form(1, date: "Sun, 06 Nov 1994 07:00:00 GMT"),
    ])
    func whateverRetryAfterSaysIsObeyed(_ form: Form) async throws {
        try await ScopeLab.run { lab in
            try await lab.database.knowCredential()
            let worker = try await lab.worker()
            let id = lab.world.id(0)
            lab.world.override(id, SimResponse(status: 429, headers: form.headers), times: 1)
            try await lab.insert([id])
            try await eventually("the limit is met") { !worker.log.records(of: .rateLimited).isEmpty }
            let left = "SELECT extract(epoch FROM paused_until - now())::text FROM credentials"
            try await eventually("all workers are told") { try await lab.database.value(left) != nil }
            let pause = try #require(Double(try await lab.database.value(left) ?? ""))
            #expect(pause <= form.seconds * 1.5 + 1, "it waits much longer than it was asked to")
            if form.seconds > 10 {
                #expect(pause > form.seconds - 10)
                // Nobody waits for that here.
                try await lab.database.wait(for: "SELECT count(*) FROM enrichment_queue WHERE attempts > 0", toBe: "0")
                _ = try await worker.stop()
                return
            }
            try await lab.database.wait(for: "SELECT count(*) FROM engagements", toBe: "1")
            let times = lab.world.requests(for: id).map(\.time)
            try #require(times.count == 2)
            #expect(times[1] - times[0] >= .seconds(form.seconds), "it asked again after \(times[1] - times[0])")
            #expect(worker.log.done(.retry).isEmpty)
            try await worker.stop()
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
