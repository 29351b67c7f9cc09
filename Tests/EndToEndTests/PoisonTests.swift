import Glibc
import Simulator
import TestKit
import Testing

/// A job that kills whatever worker runs it.
@Suite(.serialized) struct PoisonTests {
    /// The process is killed the moment the request for one id arrives, again and again.
    @Test(.timeLimit(.minutes(5))) func aJobThatKillsItsWorkerIsConvictedWithoutItsNeighbours() async throws {
        try await Stage.run { stage in
            let ids = stage.ids(0..<300)
            let poison = ids[150]
            stage.world.hold(poison)
            stage.world.setLatency(.milliseconds(5))
            try await stage.insert(ids)
            var crashes = 0
            while true {
                let worker = try stage.start(["run"])
                let before = stage.world.requestCount(for: poison)
                try await eventually(within: .seconds(60), "the poison is met or convicted") {
                    if stage.world.requestCount(for: poison) > before { return true }
                    return try await stage.database.count("SELECT count(*) FROM dead_letters") > 0
                }
                guard stage.world.requestCount(for: poison) > before else {
                    try await stage.database.wait(for: Stage.jobs, toBe: "0", within: .seconds(60))
                    try await eventually("it is said") {
                        worker.records(of: "job.done").contains { $0["cause"] as? String == "poison" }
                    }
                    break
                }
                if crashes >= 2 {
                    #expect(try await stage.leases(of: worker) == 1, "it runs alone after two losses")
                }
                try await worker.kill9()
                crashes += 1
                try #require(crashes <= 6)
            }
            #expect(crashes == 5)
            #expect(try await stage.database.count("SELECT count(*) FROM engagements") == 299)
            let letter = try await stage.database.value(
                "SELECT string_agg(engagement_id || ' ' || cause || ' ' || losses || ' ' || attempts, '') FROM dead_letters"
            )
            #expect(letter == "\(poison) poison 5 0")
        }
    }

    /// Rows that two killed workers held run one by one, and the others go on between.
    @Test(.timeLimit(.minutes(5))) func suspectsThatAreInnocentEndAsAnyOther() async throws {
        try await Stage.run { stage in
            try await stage.database.run(Audit.install)
            try await stage.insert(stage.ids(0..<400))
            try await stage.database.run("UPDATE enrichment_queue SET losses = 2 WHERE id % 4 = 0")
            // Nobody runs beside one: while it is held its worker has nothing else, the other worker has.
            let suspect = stage.ids(0..<400)[3]
            stage.world.hold(suspect)
            let workers = [try await stage.worker(), try await stage.worker()]
            try await stage.world.waitForRequest(suspect)
            try await stage.database.wait(
                for: Stage.jobs + " AND coalesce(losses, 0) < 2", toBe: "0")
            let beside = try await stage.database.count(
                """
                SELECT count(*) FROM enrichment_queue AS q
                WHERE leased_by = (SELECT leased_by FROM enrichment_queue WHERE engagement_id = '\(suspect)')
                """)
            #expect(beside == 1)
            stage.world.releaseHold(suspect)
            try await stage.drained()
            #expect(try await stage.database.count("SELECT count(*) FROM engagements") == 400)
            #expect(try await stage.database.value(Audit.faults) == "")
            for worker in workers { #expect(worker.isRunning) }
        }
    }

    /// Three hundred that take 20 ms each fill several turns, and nothing else is due between them.
    @Test func runOnceEndsWhenTheLastSuspectHasRun() async throws {
        try await Stage.run { stage in
            try await stage.insert(stage.ids(0..<300))
            try await stage.database.run("UPDATE enrichment_queue SET losses = 2")
            stage.world.setLatency(.milliseconds(20))
            let worker = try stage.start(["run", "--once"])
            #expect(try await worker.exitStatus() == 0)
            #expect(try await stage.database.count(Stage.jobs) == 0)
            #expect(try await stage.database.count("SELECT count(*) FROM engagements") == 300)
        }
    }
}
