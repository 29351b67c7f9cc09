import Enrichment
import Postgres
import Simulator
import TestKit
import Testing

/// Looks at engagements that have not finished, by a worker against the simulated API.
struct NotReadyScheduleTests {
    @Test func anUnfinishedEngagementIsLookedAtSevenTimesAndThenNoMore() async throws {
        try await TruthLab.run(change: TruthLab.quickPolls) { lab in
            let (database, id) = (lab.database, lab.world.id(1))
            lab.world.setUnfinished(id)
            try await lab.enrich([id])
            let changed = "SELECT _changed_at::text FROM engagements"
            let before = try await database.value(changed)
            for (index, delay) in TruthLab.schedule.enumerated() {
                try await database.waitForLooks(id, toBe: "\(index + 1) \(delay)")
                #expect(try await database.gap(id) == "transcript not_ready waits")
                #expect(try await database.nextLooksAreRight())
                try await database.bringLooksForward()
            }
            try await database.waitForLooks(id, toBe: nil)
            #expect(try await lab.outcomes(of: "not_ready", count: 7) == ["unchanged": 7])
            #expect(try await database.gap(id) == "transcript not_ready")
            #expect(try await database.value(changed) == before)
            let sentence = try await database.value("SELECT explanation FROM missing_parts")
            #expect(sentence?.contains("engagement-worker enqueue \(id)") == true)

            try await lab.enrich([id], reason: "again")
            #expect(try await database.looks(id) == "1 00:01:00", "the looks start over")
        }
    }

    @Test func aWaitingLookIsNoBacklogAndTheEngagementIsDone() async throws {
        try await TruthLab.run { lab in
            let (database, id) = (lab.database, lab.world.id(1))
            lab.world.setUnfinished(id)
            try await lab.enrich([id])
            #expect(try await database.value("SELECT due || ' ' || waiting FROM queue_health") == "0 1")
            #expect(try await database.state(id) == "done {transcript}")
            let row = "SELECT due_at = available_at AND attempts = 0 AND claims = 0 FROM enrichment_queue"
            #expect(try await database.value(row) == "t")
            let sentence = try await database.value("SELECT explanation FROM missing_parts")
            #expect(sentence?.contains("Next look: 20") == true)

            try await database.insert(id, ["available_at": "now() + interval '1 h'"])
            #expect(try await database.state(id) == "waiting {transcript}", "somebody's own job comes first")
        }
    }

    @Test func aPersonsJobLeavesTheWaitingLookAsItIs() async throws {
        try await TruthLab.run(change: TruthLab.quickPolls) { lab in
            let (database, id) = (lab.database, lab.world.id(1))
            lab.world.setUnfinished(id)
            try await lab.enrich([id])
            try await database.bringLooksForward()
            try await database.waitForLooks(id, toBe: "2 00:02:00")
            let row = "SELECT id || ' ' || available_at FROM enrichment_queue"
            let before = try await database.value(row)
            for number in 1...3 { try await lab.enrich([id, id], reason: "person \(number)") }
            #expect(try await database.value(row) == before)
            #expect(try await database.nextLooksAreRight())
        }
    }

    @Test func anEngagementThatFinishedInBetweenIsNotLookedAt() async throws {
        try await TruthLab.run { lab in
            // One that is spoken, and does not fail.
            let id = try #require(
                (0..<50).map { lab.world.id($0) }.first { lab.world.truth($0).transcript != nil })
            lab.world.setUnfinished(id)
            try await lab.enrich([id])
            #expect(try await lab.database.looks(id) == "1 00:01:00")
            lab.world.finish(id)
            try await lab.enrich([id])
            #expect(try await lab.database.count("SELECT count(*) FROM enrichment_queue") == 0)
            #expect(try await lab.database.gap(id) == nil)
            #expect(try await lab.database.count("SELECT count(*) FROM engagement_transcripts") == 1)
            #expect(!lab.worker.log.records(of: .jobDone).contains { $0.fields[.reason] == .string("not_ready") })
        }
    }

    @Test func aLookThatFindsNothingEndsAsADeadLetter() async throws {
        try await TruthLab.run(change: TruthLab.quickPolls) { lab in
            let (database, id) = (lab.database, lab.world.id(1))
            lab.world.setUnfinished(id)
            try await lab.enrich([id])
            try await database.bringLooksForward()
            try await database.waitForLooks(id, toBe: "2 00:02:00")
            lab.world.setMissing(id)
            let dead = "SELECT cause FROM dead_letters WHERE key = '\(id)'"
            try await eventually("the look ends") {
                try await database.bringLooksForward()
                return try await database.value(dead) == "not_found"
            }
            #expect(try await database.count("SELECT count(*) FROM enrichment_queue") == 0)
            #expect(try await database.gap(id) == "transcript not_ready")
            #expect(try await lab.outcomes(of: "not_ready", count: 4) == ["unchanged": 1, "released": 2, "dead": 1])
        }
    }

    @Test func nothingWaitsForWhatWasDeleted() async throws {
        try await TruthLab.run { lab in
            let (database, ids) = (lab.database, [lab.world.id(1), lab.world.id(2)])
            for id in ids { lab.world.setUnfinished(id) }
            try await lab.enrich(ids)
            lab.world.setGone(ids[0])
            try await lab.enrich(ids, reason: "deleted")
            #expect(try await database.looks(ids[0]) == nil)
            #expect(try await database.gap(ids[0]) == nil)
            #expect(try await database.state(ids[0]) == "done deleted {}")
            #expect(try await database.looks(ids[1]) == "1 00:01:00", "the hint was wrong there")
            let there = "SELECT count(*) FROM engagements_live WHERE id = '\(ids[1])'"
            #expect(try await database.count(there) == 1)
            #expect(try await lab.outcomes(of: "deleted", count: 2) == ["deleted": 1, "unchanged": 1])
        }
    }

    @Test func twoWorkersMakeOneChainOfLooks() async throws {
        try await TruthLab.run(change: TruthLab.quickPolls) { lab in
            let other = try await TestWorker(lab.database, lab.simulator, change: TruthLab.quickPolls)
            let ids = (0..<40).map { lab.world.id($0) }
            for id in ids { lab.world.setUnfinished(id) }
            for wave in 0..<3 { try await lab.enqueue(ids, reason: "wave \(wave)") }
            try await lab.settled()
            let chains =
                "SELECT count(*) || ' ' || count(DISTINCT engagement_id) || ' ' || max(looks) FROM enrichment_queue WHERE leased_by IS NULL"
            #expect(try await lab.database.value(chains) == "40 40 1")
            for look in 2...4 {
                try await lab.database.bringLooksForward()
                try await lab.database.wait(for: chains, toBe: "40 40 \(look)")
            }
            #expect(try await lab.database.nextLooksAreRight())
            try await other.stop()
        }
    }
}
