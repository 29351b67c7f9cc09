import Postgres
import TestKit
import Testing

@testable import Enrichment

/// Which jobs a claim takes, in which order, and what a lease is.
struct ClaimTests {
    @Test func lanesComeInOrderAndWithinThemAge() async throws {
        try await withQueue { database, hands in
            let old = ["available_at": "now() - interval '1 hour'"]
            let background = try await database.insert("ngmt_a", ["priority": "-5"].merging(old) { $1 })
            let normal = try await database.insert("ngmt_b")
            let older = try await database.insert("ngmt_c", ["priority": "NULL"].merging(old) { $1 })
            let live = try await database.insert("ngmt_d", ["priority": "1"])
            // Above 0 is one lane: a larger number does not overtake.
            let sameLane = try await database.insert("ngmt_e", ["priority": "2147483647"])
            let jobs = try await hands[0].claim().jobs
            #expect(jobs.map(\.id) == [live, sameLane, older, normal, background])
            #expect(jobs.map(\.lane) == [.live, .live, .normal, .normal, .background])
        }
    }

    @Test func eachLaneHasItsOwnLimit() async throws {
        try await withQueue { database, hands in
            for number in 0..<30 { try await database.insert("ngmt_\(number)", ["priority": "\(number % 3 - 1)"]) }
            let wanted: [Lane: Int] = [.live: 2, .normal: 0, .background: 4]
            let claimed = try await hands[0].queue.claim(wanted, from: [:], lease: .seconds(60), on: hands[0].session)
            #expect(claimed.jobs.map(\.lane) == [.live, .live] + Array(repeating: .background, count: 4))
            #expect(Set(claimed.floors.keys) == [.live, .background], "the lanes that came back full")
        }
    }

    @Test func whatAnotherHasLockedIsSkippedWithoutWaiting() async throws {
        try await withQueue { database, hands in
            var ids: [Int64] = []
            for number in 0..<10 { ids.append(try await database.insert("ngmt_\(number)")) }
            let other = try await database.connect()
            try await other.run(
                script: "BEGIN; SELECT FROM enrichment_queue WHERE id <= \(ids[4]) FOR UPDATE", name: "lock")
            // The lock time-out of the session is 10 s; a claim that waited would fail by this.
            let start = ContinuousClock.now
            #expect(try await hands[0].claimedIDs() == Array(ids[5...]))
            #expect(ContinuousClock.now - start < .seconds(5))
            try await other.run(script: "COMMIT", name: "unlock")
            #expect(try await hands[0].claimedIDs() == Array(ids[..<5]))
            await other.close()
        }
    }

    @Test func nobodyClaimsTheSameJobTwice() async throws {
        try await withQueue(hands: 4) { database, hands in
            try await database.run(
                "INSERT INTO enrichment_queue (engagement_id) SELECT 'ngmt_' || i FROM generate_series(1, 2000) AS i")
            let claimed = try await withThrowingTaskGroup(of: [Int64].self) { group in
                for hand in hands {
                    group.addTask {
                        var mine: [Int64] = []
                        while true {
                            let ids = try await hand.claimedIDs(37)
                            mine += ids
                            guard try await database.count(unclaimed) > 0 || !ids.isEmpty else { return mine }
                        }
                    }
                }
                return try await group.reduce(into: [Int64]()) { $0 += $1 }
            }
            #expect(claimed.count == 2000 && Set(claimed).count == 2000)
            #expect(try await database.count("SELECT count(*) FROM enrichment_queue WHERE claims <> 1") == 0)
        }
    }

    private let unclaimed = "SELECT count(*) FROM enrichment_queue WHERE leased_by IS NULL"

    @Test func theFloorIsWhereTheNextClaimBegins() async throws {
        try await withQueue { database, hands in
            var ids: [Int64] = []
            for number in 0..<6 {
                ids.append(
                    try await database.insert(
                        "ngmt_\(number)", ["available_at": "now() - interval '\(60 - number) s'"]))
            }
            let first = try await hands[0].claim(3)
            #expect(first.jobs.map(\.id) == Array(ids[..<3]))
            #expect(first.floors[.normal]?.id == ids[2])
            // Given back with its old time, or inserted with one: behind the floor.
            let behind = try await database.insert("ngmt_late", ["available_at": "now() - interval '1 day'"])
            let second = try await hands[0].claim(3, from: first.floors)
            #expect(second.jobs.map(\.id) == Array(ids[3...]))
            let third = try await hands[0].claim(3, from: second.floors)
            #expect(third.jobs.isEmpty && third.floors.isEmpty, "a claim that comes back short drops the floor")
            #expect(try await hands[0].claim(3, from: third.floors).jobs.map(\.id) == [behind])
        }
    }

    @Test func aFloorKeepsRowsOfTheSameInstantApartByID() async throws {
        try await withQueue { database, hands in
            try await database.run(
                """
                INSERT INTO enrichment_queue (engagement_id, available_at)
                SELECT 'ngmt_' || i, '2026-01-01 00:00:00.123456+00' FROM generate_series(1, 7) AS i
                """)
            var (floors, seen): ([Lane: JobQueue.Floor], [Int64]) = ([:], [])
            for _ in 0..<4 {
                let claimed = try await hands[0].claim(2, from: floors)
                seen += claimed.jobs.map(\.id)
                floors = claimed.floors
            }
            #expect(seen.count == 7 && seen == seen.sorted())
        }
    }

    @Test func theLeaseIsVisibleAndTheFirstTimeIsKept() async throws {
        try await withQueue { database, hands in
            let id = try await database.insert("ngmt_a", ["available_at": "'2026-01-02 03:04:05+00'"])
            _ = try await hands[0].claim(lease: .seconds(600))
            #expect(
                try await database.job(
                    id,
                    "available_at BETWEEN clock_timestamp() + interval '590 s' AND clock_timestamp() + interval '600 s'"
                )
                    == "t")
            #expect(try await database.job(id, "due_at::text") == "2026-01-02 03:04:05+00")
            #expect(try await database.job(id, "leased_by") == String(hands[0].queue.bootID))
            #expect(try await hands[0].claimedIDs() == [], "a leased job is not due")
        }
    }

    @Test func aLapsedLeaseIsClaimableAgain() async throws {
        try await withQueue(hands: 2) { database, hands in
            let id = try await database.insert("ngmt_a")
            let first = try #require(try await hands[0].claim().jobs.first)
            #expect(first.claims == 1)
            try await database.run("UPDATE enrichment_queue SET available_at = now() - interval '1 s'")
            let second = try #require(try await hands[1].claim().jobs.first)
            #expect(second.id == id && second.claims == 2)
            #expect(try await database.job(id, "due_at <= enqueued_at") == "t", "the first time is still kept")
        }
    }

    @Test func aVeryShortLeaseLapsesByItself() async throws {
        try await withQueue(hands: 2) { database, hands in
            let id = try await database.insert("ngmt_a")
            _ = try await hands[0].claim(lease: .milliseconds(50))
            try await eventually("the lease has lapsed") { try await hands[1].claimedIDs() == [id] }
        }
    }

    @Test func infinityIsNeverAndMinusInfinityIsNow() async throws {
        try await withQueue { database, hands in
            let never = try await database.insert("ngmt_never", ["available_at": "'infinity'"])
            let now = try await database.insert(
                "ngmt_now", ["available_at": "'-infinity'", "enqueued_at": "now() - interval '5 s'"])
            let jobs = try await hands[0].claim().jobs
            #expect(jobs.map(\.id) == [now])
            #expect((4_000...60_000).contains(try #require(jobs.first?.waitMilliseconds)), "counted from enqueued_at")
            #expect(try await hands[0].queue.nextDue(on: hands[0].session).map { $0 < .seconds(61) } == true)
            #expect(try await database.job(never, "leased_by") == nil)
        }
    }

    @Test func aPauseStopsClaims() async throws {
        try await withQueue { database, hands in
            let id = try await database.insert("ngmt_a")
            try await database.run("UPDATE control SET paused = true")
            #expect(try await hands[0].claimedIDs() == [])
            #expect(try await database.job(id, "claims") == "0")
            try await database.run("UPDATE control SET paused = false")
            #expect(try await hands[0].claimedIDs() == [id])
        }
    }

    /// Of a session that was opened a moment ago: after an outage all leases may be over, and nobody died.
    @Test func aLeaseThatRanOutIsALossToWhoWasThereMeanwhile() async throws {
        try await withQueue { database, hands in
            let over = ["leased_by": "99", "claims": "1", "available_at": "now() - interval '1 second'"]
            try await database.insert("ngmt_a", over)
            #expect(try await hands[0].claim().jobs.map(\.losses) == [0])
            // Nor was it there who has only just begun; but then the other is long gone.
            let beginner = QueueHand(database)
            let registration =
                "INSERT INTO workers (boot_id, host, pid, version) VALUES (\(beginner.queue.bootID), 'h', 1, 'v')"
            try await database.run(registration)
            try await database.run("UPDATE enrichment_queue SET leased_by = 99, available_at = now() - interval '1 s'")
            #expect(try await beginner.claim().jobs.map(\.losses) == [1])
            await beginner.close()
            try await database.run("DELETE FROM enrichment_queue")
            try await database.wait(for: Self.isOldEnough, toBe: "true")
            let once = try await database.insert("ngmt_b", over)
            let twice = try await database.insert("ngmt_c", over.merging(["losses": "1"]) { $1 })
            let convict = try await database.insert("ngmt_d", over.merging(["losses": "4"]) { $1 })
            let claimed = try await hands[0].claim().jobs
            #expect(claimed.map(\.id) == [once] && claimed.map(\.losses) == [1])
            #expect(try await database.job(twice, "losses || ' ' || (leased_by IS NULL)") == "2 true", "it runs alone")
            for (id, losses) in [(twice, 2), (convict, 5)] {
                let suspect = try await hands[0].queue.claimSuspect(lease: .seconds(60), on: hands[0].session)
                #expect(suspect?.jobs.map(\.id) == [id] && suspect?.jobs.map(\.losses) == [losses])
            }
        }
    }

    private static let isOldEnough = """
        SELECT (max(clock_timestamp() - backend_start) > interval '5 s')::text FROM pg_stat_activity
        WHERE datname = current_database() AND application_name LIKE '%claim'
        """

    /// Who looks for it would otherwise empty its hands for nothing, again and again.
    @Test func aSuspectThatAPersonHasLockedIsNotSeen() async throws {
        try await withQueue { database, hands in
            try await database.insert("ngmt_a", ["losses": "2"])
            #expect(try await hands[0].hasSuspects)
            let person = try await database.connect()
            try await person.run(script: "BEGIN; SELECT FROM enrichment_queue FOR UPDATE", name: "lock")
            #expect(try await !hands[0].hasSuspects)
            try await person.run(script: "COMMIT", name: "unlock")
            #expect(try await hands[0].hasSuspects)
            await person.close()
        }
    }

    @Test func everythingThatPeopleMayInsertIsClaimable() async throws {
        try await withQueue { database, hands in
            try await database.run(
                """
                INSERT INTO enrichment_queue (engagement_id, reason, priority, available_at, enqueued_at, claims, attempts, losses, looks)
                VALUES (NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
                       ('', '', -2147483648, '-infinity', '-infinity', 0, 0, 0, 0),
                       (repeat('x', 1000000), repeat('y', 1000000), 2147483647, '4713-01-01 BC', 'infinity', 0, 0, 0, 0)
                """)
            let jobs = try await hands[0].claim().jobs
            #expect(jobs.count == 3)
            #expect(jobs.map { $0.engagementID?.count } == [100, nil, 0])
            #expect(jobs.map(\.claims) == [1, 1, 1])
            // Nor do such times break what people and the heartbeat read.
            try await database.run(
                "UPDATE enrichment_queue SET leased_by = NULL, due_at = NULL, available_at = '-infinity'")
            #expect(try await database.value("SELECT due FROM queue_health") == "2")
            #expect(try await QueueSummary.read(on: hands[0].session).due == 2)
        }
    }
}
