import AskElephant
import Enrichment
import TestKit
import Testing

/// What every answer means for a job, by its attempts, looks and reason.
struct JudgeTests {
    private let judge = Judge(maxAttempts: 4, backoff: Backoff())

    private static let uncharged: [(Reply, Cause)] = [
        (.unauthorized(Problem()), .credential), (.rateLimited(after: .seconds(3), Problem()), .rateLimited),
        (.transport(.cancelled), .shutdown), (.transport(.noMemory), .network),
    ]
    private static let dead: [(Reply, Cause)] = [
        (.rejected(status: 400, Problem()), .rejected),
        (.rejected(status: 422, Problem()), .rejected),
    ]
    private static let failures: [(Reply, Cause)] =
        [500, 502, 503, 504].map { (.unavailable(status: $0, after: nil, Problem()), .api) }
        + [.dns, .connect, .tls, .timeout, .reset, .other("x")].map { (.transport($0), .network) }
    private static let violations: [(Reply, Cause)] =
        [.redirect, .unexpectedStatus, .notAnObject, .badCompression].map { (violation($0), .contract) }
        + [(violation(.tooLarge), .tooLarge)]

    private static func violation(_ kind: ContractViolation.Kind) -> Reply { .contract(.init(kind, status: 200)) }

    private static let attempts = 0...9
    private static let reasons = [nil, "test", "deleted", "not_ready"]

    @Test func aDocumentIsNotJudged() {
        var random = SeededRandom(seed: 1)
        let reply = Reply.document(Document(json: Array("{}".utf8)))
        #expect(judge.judge(reply, jobs: [job()], apiIsAlive: true, using: &random) == nil)
    }

    @Test(arguments: uncharged) func troubleOfTheCredentialOrTheLimitChargesNobody(_ reply: Reply, _ cause: Cause) {
        for (end, _) in everyEnd(reply) {
            #expect(end.action == .release && end.cause == cause && !end.looked && end.mark == nil)
        }
    }

    @Test(arguments: dead) func whatRepeatingCannotHelpIsDeadAtOnce(_ reply: Reply, _ cause: Cause) {
        for (end, _) in everyEnd(reply) { #expect(end.action == .dead && end.cause == cause && end.mark == nil) }
    }

    @Test(arguments: failures) func aFailureIsChargedWhileTheAPILivesAndUpToTheLimit(_ reply: Reply, _ cause: Cause) {
        for (end, isAlive) in everyEnd(reply) {
            #expect(end.cause == cause && end.mark == nil && !end.looked)
            if isAlive {
                #expect(end.action == (end.job.attempts + 1 < 4 ? .retry : .dead))
                if end.action == .retry {
                    #expect(end.delay >= .milliseconds(50))
                    #expect(end.delay <= Backoff().ceiling(attempt: end.job.attempts + 1))
                }
            } else {
                #expect(end.action == .release && end.delay >= .seconds(1) && end.delay <= .seconds(5))
            }
        }
    }

    @Test(arguments: violations) func aBrokenContractIsTriedOnceMore(_ reply: Reply, _ cause: Cause) {
        for (end, isAlive) in everyEnd(reply) {
            let isTheJobs = isAlive || cause == .tooLarge
            let charged: JobEnd.Action = end.job.attempts == 0 ? .retry : .dead
            #expect(end.cause == cause && end.action == (isTheJobs ? charged : .release) && end.isCharged == isTheJobs)
        }
    }

    @Test(arguments: [Reply.notFound(Problem()), .gone(Problem())])
    func notFoundIsLookedAtAgainUncharged(_ reply: Reply) {
        let waits: [Duration] = [.seconds(5), .seconds(30), .seconds(120), .seconds(600)]
        for looks in -1...6 {
            for attempts in Self.attempts {
                for end in ends(reply, job(attempts: attempts, looks: looks), isAlive: true) {
                    #expect(end.cause == .notFound && end.mark == .unreadable)
                    #expect(end.action == (looks < 4 ? .release : .dead))
                    if looks < 4 { #expect(end.looked && end.delay == waits[max(0, looks)]) }
                }
            }
        }
    }

    @Test(arguments: [Reply.notFound(Problem()), .gone(Problem())])
    func deletedTakesNoFurtherLooksAndOneSuchRowSpeaksForAllThatShareTheRequest(_ reply: Reply) {
        var random = SeededRandom(seed: 1)
        let jobs = [job(id: 1, looks: 4), job(id: 2, reason: "deleted"), job(id: 3, attempts: 9)]
        let ends = judge.judge(reply, jobs: jobs, apiIsAlive: true, using: &random) ?? []
        #expect(ends.map(\.job.id) == [1, 2, 3])
        #expect(ends.allSatisfy { $0.action == .deleted && $0.mark == .deleted && $0.cause == nil })
    }

    @Test func aRetryAfterIsKeptWithAPositiveJitterOnly() {
        var random = SeededRandom(seed: TruthSeed.draw("aRetryAfterIsKept"))
        for seconds in [1, 3, 900] {
            for _ in 0..<200 {
                let reply = Reply.rateLimited(after: .seconds(seconds), Problem())
                let end = judge.judge(reply, jobs: [job()], apiIsAlive: true, using: &random)![0]
                #expect(end.delay >= .seconds(seconds) && end.delay <= .seconds(seconds) * 1.1)
                let busy = Reply.unavailable(status: 503, after: .seconds(seconds), Problem())
                for isAlive in [true, false] {
                    let end = judge.judge(busy, jobs: [job()], apiIsAlive: isAlive, using: &random)![0]
                    #expect(end.delay >= .seconds(seconds))
                }
            }
        }
    }

    @Test(arguments: [true, false]) func whatPostgresRefusesIsChargedUnlessALockWasInTheWay(_ charged: Bool) {
        var random = SeededRandom(seed: 1)
        for attempts in Self.attempts {
            let end = judge.refusedByDatabase([job(attempts: attempts)], charged: charged, using: &random)[0]
            #expect(end.cause == .database)
            #expect(end.action == (charged ? (attempts + 1 < 4 ? .retry : .dead) : .release))
        }
    }

    @Test func oneAttemptMeansNoRetry() {
        var random = SeededRandom(seed: 1)
        let strict = Judge(maxAttempts: 1, backoff: Backoff())
        for (reply, _) in Self.failures + Self.violations {
            #expect(strict.judge(reply, jobs: [job()], apiIsAlive: true, using: &random)?[0].action == .dead)
        }
    }

    // MARK: -

    private func job(id: Int64 = 1, reason: String? = nil, attempts: Int = 0, looks: Int = 0) -> Job {
        Job(id: id, claims: 1, engagementID: "ngmt_A", reason: reason, attempts: attempts, looks: looks)
    }

    /// The ends of a job of its own and of one that shares the request.
    private func ends(_ reply: Reply, _ job: Job, isAlive: Bool) -> [JobEnd] {
        var random = SeededRandom(seed: UInt64(job.attempts))
        let ends = judge.judge(reply, jobs: [job, job], apiIsAlive: isAlive, using: &random) ?? []
        #expect(ends.count == 2)
        return ends
    }

    private func everyEnd(_ reply: Reply) -> [(JobEnd, isAlive: Bool)] {
        Self.attempts.flatMap { attempts in
            Self.reasons.flatMap { reason in
                [true, false].flatMap { isAlive in
                    ends(reply, job(reason: reason, attempts: attempts), isAlive: isAlive).map { ($0, isAlive) }
                }
            }
        }
    }
}
