import Postgres
import TestKit
import Testing

@testable import Enrichment

/// How jobs end, and what becomes of those whose worker is gone: settle, extend, reclaim.
struct SettleTests {
    @Test func aStaleTokenSettlesNothing() async throws {
        try await withQueue(hands: 2) { database, hands in
            let id = try await database.insert("ngmt_a")
            let stale = try #require(try await hands[0].claim().jobs.first)
            try await database.run("UPDATE enrichment_queue SET available_at = now() - interval '1 s'")
            let held = try #require(try await hands[1].claim().jobs.first)
            for action in [JobEnd.Action.retry, .release, .dead, .deleted] {
                let end = JobEnd(stale, action, cause: .api, mark: action == .deleted ? .deleted : nil)
                #expect(try await hands[0].settle([end], observedAt: "2026-01-01T00:00:00Z").held == [])
                // The right worker with an old claim is as stale.
                let other = JobEnd(stale, action, cause: .api)
                #expect(try await hands[1].settle([other], observedAt: "2026-01-01T00:00:00Z").held == [])
            }
            #expect(
                try await database.job(id, "leased_by || ' ' || claims || ' ' || attempts")
                    == "\(hands[1].queue.bootID) 2 0")
            #expect(try await database.count("SELECT count(*) FROM dead_letters") == 0)
            #expect(try await database.count("SELECT count(*) FROM engagements") == 0)
            #expect(try await hands[1].settle([JobEnd(held, .dead, cause: .api)]).held == [id])
        }
    }

    @Test func aReleasedJobKeepsItsPlaceInTheLine() async throws {
        try await withQueue { database, hands in
            let old = try await database.insert("ngmt_a", ["available_at": "now() - interval '1 minute'"])
            let young = try await database.insert("ngmt_b")
            let jobs = try await hands[0].claim(1).jobs
            #expect(jobs.map(\.id) == [old])
            try await hands[0].settle([JobEnd(jobs[0], .release, cause: .shutdown)])
            #expect(try await database.job(old, "attempts || ' ' || looks || ' ' || (leased_by IS NULL)") == "0 0 true")
            #expect(try await hands[0].claimedIDs() == [old, young])
        }
    }

    @Test func aDelayPutsTheJobOffAndCountsWhatIsCharged() async throws {
        try await withQueue { database, hands in
            for name in ["retry", "release", "look"] { try await database.insert("ngmt_\(name)") }
            let jobs = try await hands[0].claim().jobs
            try await hands[0].settle(
                [
                    JobEnd(jobs[0], .retry, delay: .seconds(100), cause: .api),
                    JobEnd(jobs[1], .release, delay: .seconds(100), cause: .rateLimited),
                    JobEnd(jobs[2], .release, delay: .seconds(100), looked: true, cause: .notFound),
                ], error: nil)
            let rows = try await database.run(
                """
                SELECT attempts || ' ' || looks || ' ' || last_error AS v FROM enrichment_queue
                WHERE leased_by IS NULL AND available_at BETWEEN now() + interval '90 s' AND now() + interval '100 s'
                ORDER BY id
                """)
            #expect(try rows.map { try $0.text("v") } == ["1 0 api", "0 0 rate_limited", "0 1 not_found"])
            #expect(try await hands[0].claimedIDs() == [])
        }
    }

    @Test func deadLettersCountHowOftenAnEngagementDied() async throws {
        try await withQueue { database, hands in
            for round in 1...3 {
                try await database.insert("ngmt_a", ["reason": "'round \(round)'", "priority": "\(round)"])
                let job = try #require(try await hands[0].claim().jobs.first)
                try await hands[0].settle([JobEnd(job, .dead, cause: .rejected)], error: "status 400")
                let row = try #require(
                    try await database.run("SELECT *, first_at <= last_at AS ordered FROM dead_letters").first)
                #expect(try row.integer("times") == round && row.text("reason") == "round \(round)")
                #expect(try row.text("key") == "ngmt_a" && row.text("cause") == "rejected")
                #expect(try row.text("error") == "status 400" && row.integer("queue_id") == job.id)
                #expect(try row.boolean("ordered") && row.integer("claims") == 1)
            }
        }
    }

    @Test func severalRowsOfOneEngagementDieTogether() async throws {
        try await withQueue { database, hands in
            for _ in 0..<5 { try await database.insert("ngmt_a") }
            try await database.insert("ngmt_b")
            let jobs = try await hands[0].claim().jobs
            #expect(
                try await hands[0].settle(jobs.map { JobEnd($0, .dead, cause: .forbidden) }).held == Set(jobs.map(\.id))
            )
            let rows = try await database.run("SELECT key, times FROM dead_letters ORDER BY key")
            #expect(try rows.map { try "\($0.text("key")) \($0.integer("times"))" } == ["ngmt_a 5", "ngmt_b 1"])
            #expect(try await database.count("SELECT count(*) FROM enrichment_queue") == 0)
        }
    }

    @Test func invalidIDsDieEachForItself() async throws {
        try await withQueue { database, hands in
            try await database.run(
                "INSERT INTO enrichment_queue (engagement_id) VALUES (NULL), ('x'), ('x'), (repeat('z', 1000000))")
            let jobs = try await hands[0].claim().jobs
            try await hands[0].settle(jobs.map { JobEnd($0, .dead, cause: .invalidID) })
            let rows = try await database.run(
                "SELECT key, length(engagement_id) AS n, times FROM dead_letters ORDER BY queue_id")
            #expect(try rows.map { try $0.text("key") } == jobs.map { "queue:\($0.id)" })
            #expect(try rows.map { try $0.integerIfPresent("n") } == [nil, 1, 1, 1_000_000])
        }
    }

    @Test func reclaimTakesOnlyFromWorkersWhoseLockIsFree() async throws {
        try await withQueue(hands: 3) { database, hands in
            for hand in hands {
                _ = try await hand.session.query(registration, [.bigint(hand.queue.bootID)])
            }
            let id = try await database.insert("ngmt_a", ["available_at": "now() - interval '1 minute'"])
            _ = try await hands[0].claim(1)
            let spared = try await database.insert("ngmt_b")
            _ = try await hands[1].claim(1)
            let dead = Set(hands[..<2].map(\.queue.bootID))
            #expect(try await hands[2].queue.reclaim(dead, on: hands[2].session) == [:], "both live")
            #expect(try await hands[2].queue.otherWorkers(on: hands[2].session).values.contains(true) == false)
            await hands[0].close()
            try await eventually("the lock is free") {
                try await hands[2].queue.otherWorkers(on: hands[2].session) == [
                    hands[0].queue.bootID: true, hands[1].queue.bootID: false,
                ]
            }
            #expect(try await hands[2].queue.reclaim(dead, on: hands[2].session) == [hands[0].queue.bootID: 1])
            #expect(try await database.job(id, "losses || ' ' || attempts || ' ' || (leased_by IS NULL)") == "1 0 true")
            #expect(try await database.job(spared, "losses") == "0")
            #expect(try await database.count("SELECT count(*) FROM workers") == 3, "it may be alive after all")
            #expect(try await hands[2].claimedIDs() == [id], "due again at once")
            #expect(try await hands[2].queue.reclaim(dead, on: hands[2].session) == [hands[0].queue.bootID: 0])
        }
    }

    private let registration = Statement(
        name: "register", sql: "INSERT INTO workers (boot_id, host, pid, version) VALUES ($1, 'h', 1, 'v')")

    @Test func extendReportsLostRowsAndSkipsLockedOnes() async throws {
        try await withQueue(hands: 2) { database, hands in
            for number in 0..<4 { try await database.insert("ngmt_\(number)") }
            let jobs = try await hands[0].claim(lease: .seconds(5)).jobs
            try await database.run(
                """
                DELETE FROM enrichment_queue WHERE id = \(jobs[0].id);
                UPDATE enrichment_queue SET leased_by = \(hands[1].queue.bootID) WHERE id = \(jobs[1].id)
                """)
            let other = try await database.connect()
            try await other.run(
                script: "BEGIN; SELECT FROM enrichment_queue WHERE id = \(jobs[2].id) FOR UPDATE", name: "lock")
            let lost = try await hands[0].queue.extend(
                jobs.map(\.id) + [-1], lease: .seconds(600), on: hands[0].session)
            #expect(lost == [jobs[0].id, jobs[1].id, -1])
            try await other.run(script: "COMMIT", name: "unlock")
            let rows = try await database.run(
                "SELECT available_at > now() + interval '500 s' AS far FROM enrichment_queue ORDER BY id")
            #expect(try rows.map { try $0.boolean("far") } == [false, false, true])
            await other.close()
        }
    }

    @Test func aTombstoneIsWrittenUnlessANewerAnswerIsStored() async throws {
        try await withQueue { database, hands in
            try await database.run(
                """
                INSERT INTO engagements (id, title, _observed_at) VALUES
                ('ngmt_old', 'kept', '2026-01-01Z'), ('ngmt_new', 'kept', '2026-03-01Z')
                """)
            for name in ["old", "new", "never"] { try await database.insert("ngmt_\(name)", ["reason": "'deleted'"]) }
            let jobs = try await hands[0].claim().jobs
            let settled = try await hands[0].settle(
                jobs.map { JobEnd($0, .deleted, cause: nil, mark: .deleted) }, observedAt: "2026-02-01T00:00:00Z")
            #expect(settled.held == Set(jobs.map(\.id)) && settled.superseded == [jobs[1].id])
            let rows = try await database.run(
                "SELECT id, _deleted_at IS NOT NULL AS gone, title FROM engagements ORDER BY id")
            #expect(
                try rows.map { try "\($0.text("id")) \($0.boolean("gone")) \($0.textIfPresent("title") ?? "-")" }
                    == ["ngmt_never true -", "ngmt_new false kept", "ngmt_old true kept"])
        }
    }
}
