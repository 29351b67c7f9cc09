import Foundation
import Postgres
import Simulator
import TestKit
import Testing

/// `status`, with real workers and without.
struct StatusTests {
    private func status(_ stage: Stage, _ flags: [String] = []) async throws -> [String: Any] {
        let ended = try await stage.command(["status", "--output", "json"] + flags)
        #expect(ended.errors == "")
        return try #require(try JSONSerialization.jsonObject(with: Data(ended.output.utf8)) as? [String: Any])
    }

    private func verdict(_ stage: Stage, is word: String) async throws {
        try await eventually(within: .seconds(20), "\(word)") {
            try await self.status(stage)["verdict"] as? String == word
        }
    }

    @Test func theVerdictFollowsWhatHappens() async throws {
        try await Stage.run { stage in
            let none = try await stage.command(["status", "--check"])
            #expect(
                none.status == 1
                    && none.output.hasPrefix(
                        "STOPPED · no worker runs · nothing due · no success noted yet · 0 workers\n  → engagement-worker run\n"
                    ))
            let worker = try await stage.worker()
            try await verdict(stage, is: "healthy")
            try await stage.insert(stage.ids(0..<20))
            try await stage.drained()
            // The next heartbeat notes it.
            try await eventually(within: .seconds(20), "a success is noted") {
                let good = try await stage.command(["status", "--check"])
                let head = /HEALTHY · nothing due · last success [0-9.]+ s ago · 1 worker\n/
                return good.status == 0 && good.output.prefixMatch(of: head) != nil
            }

            _ = try await stage.command(["pause", "--by", "jo"])
            let paused = try await stage.command(["status"])
            #expect(
                paused.output.prefixMatch(of: #/PAUSED · by jo, for [0-9.]+ s · /#) != nil
                    && paused.output.contains("→ engagement-worker resume\n"))
            _ = try await stage.command(["resume"])

            stage.world.invalidate(Simulator.demoToken)
            try await stage.insert(stage.ids(20..<21))
            try await verdict(stage, is: "blocked")
            let blocked = try await status(stage)
            #expect(blocked["why"] as? String == "the API refuses the credential")
            #expect(blocked["next"] as? String == "engagement-worker doctor")

            // Killed, it says nothing any more; that it is gone shows at once.
            try await worker.kill9()
            try await verdict(stage, is: "stopped")
        }
    }

    /// What people's scripts read: members are only ever added.
    @Test func theJSONIsAsTheManualSays() async throws {
        try await Stage.run { stage in
            let worker = try await stage.worker()
            stage.world.revoke("contacts:read")
            try await stage.insert(stage.ids(0..<5) + ["nonsense"])
            try await stage.database.wait(for: Stage.jobs, toBe: "0")
            // The next heartbeat tells the database what was done.
            try await stage.database.wait(
                for: "SELECT sum(n) FROM activity_minutes WHERE outcome IN ('partial', 'dead')", toBe: "6",
                within: .seconds(30))
            try await stage.database.run(
                "INSERT INTO enrichment_queue (engagement_id, available_at) VALUES ('ngmt_later', now() + interval '1 h')"
            )
            let found = try await status(stage)
            try JSONContract.expect(found, in: "status as JSON")
            for list in [
                "queue", "reasons", "parts", "gaps", "scopes", "dead_letters", "workers", "completeness", "minutes",
                "notes",
            ] {
                #expect((found[list] as? [Any])?.isEmpty == false, "\(list)")
            }
            #expect(found["engagements"] as? Int == 5)
            let parts = try #require(found["parts"] as? [[String: Any]])
            #expect(parts.first { $0["part"] as? String == "contacts" }?["complete"] as? Int == 0)
            #expect(parts.first { $0["part"] as? String == "tags" }?["complete"] as? Int == 5)
            let minutes = try #require(found["minutes"] as? [[String: Any]])
            #expect(minutes.compactMap { $0["done"] as? Int }.reduce(0, +) == 5)
            #expect(minutes.compactMap { $0["failed"] as? Int }.reduce(0, +) == 1)
            worker.signal(SIGTERM)
            #expect(try await worker.exitStatus() == 0)
        }
    }

    /// What `run --once` did is noted, short as it lives; and a worker that ends leaves nobody behind who seems to work.
    @Test func whatAShortWorkerDidIsNoted() async throws {
        try await Stage.run { stage in
            try await stage.insert(stage.ids(0..<5))
            #expect(try await stage.command(["run", "--once"]).status == 0)
            #expect(
                try await stage.database.count("SELECT sum(n) FROM activity_minutes WHERE outcome = 'enriched'") == 5)
            #expect(
                try await stage.database.count(
                    "SELECT count(*) FROM activity_minutes WHERE slowest_engagement_id IS NULL") == 0)
            #expect(try await status(stage)["verdict"] as? String == "stopped")
        }
    }

    /// Above 10,000 it counts no further, and says so.
    @Test func aLargeQueueIsNotCounted() async throws {
        try await Stage.run { stage in
            try await stage.database.run(
                """
                INSERT INTO enrichment_queue (engagement_id, reason, priority)
                SELECT 'ngmt_' || n, CASE WHEN n % 2 = 0 THEN 'import' END, -(n % 2) FROM generate_series(1, 60000) AS n
                """)
            let found = try await status(stage)
            let lanes = try #require(found["queue"] as? [[String: Any]])
            #expect(lanes.map { $0["due"] as? Int } == [0, 10_001, 10_001])
            #expect((found["estimated"] as? [String])?.contains("reasons") == true)
            let reasons = try #require(found["reasons"] as? [[String: Any]])
            let imports = try #require(reasons.first { $0["reason"] as? String == "import" }?["due"] as? Int)
            #expect((24_000...36_000).contains(imports))
            let table = try await stage.command(["status"]).output
            #expect(table.contains("10,000+") && table.contains("≈ "))
        }
    }

    /// A sample of a hundred thousand letters does not hide five of another cause.
    @Test func theRareIsNotLost() async throws {
        try await Stage.run { stage in
            try await stage.database.run(
                """
                INSERT INTO dead_letters (key, cause, error)
                SELECT 'k' || n, CASE WHEN n BETWEEN 50001 AND 50005 THEN 'poison' ELSE 'not_found' END, repeat('x', 200)
                FROM generate_series(1, 100000) AS n
                """)
            let found = try await status(stage)
            let letters = try #require(found["dead_letters"] as? [[String: Any]])
            #expect((found["estimated"] as? [String])?.contains("dead_letters") == true)
            #expect(Set(letters.compactMap { $0["cause"] as? String }) == ["not_found", "poison"])
            #expect((letters.first { $0["cause"] as? String == "poison" }?["n"] as? Int ?? 0) >= 5)
        }
    }

    /// What is locked keeps neither the verdict back nor the rest.
    @Test func aLockedTableHidesNothingElse() async throws {
        try await Stage.run { stage in
            try await stage.insert(stage.ids(0..<3))
            _ = try await stage.command(["run", "--once"])
            let locker = try await stage.database.connect()
            _ = try await locker.run(script: "BEGIN; LOCK TABLE engagement_gaps", name: "lock")
            let ended = try await stage.command(["status"])
            #expect(
                ended.status == 0 && ended.output.hasPrefix("STOPPED · no worker runs"),
                "\(ended.output)\(ended.errors)")
            #expect(ended.output.contains("could not be looked at\n") && ended.output.contains("gaps: SQLSTATE 55P03"))
            #expect(ended.output.contains("\nworkers\n") && ended.output.contains("\ncompleteness\n"))
            await locker.close()
        }
    }

    /// The verdict rests on the queue and the workers alone.
    @Test func aLockOnTheEngagementsHidesNoVerdict() async throws {
        try await Stage.run { stage in
            let locker = try await stage.database.connect()
            _ = try await locker.run(script: "BEGIN; LOCK TABLE engagements, dead_letters", name: "lock")
            let ended = try await stage.command(["status", "--output", "json"])
            #expect(ended.status == 0, "\(ended.errors)")
            let status = try #require(
                try JSONSerialization.jsonObject(with: Data(ended.output.utf8)) as? [String: Any])
            #expect(status["verdict"] as? String == "stopped" && status["engagements"] is NSNull)
            let unreadable = try #require(status["unreadable"] as? [String])
            #expect(unreadable.contains { $0.hasPrefix("notes: SQLSTATE 55P03") }, "\(unreadable)")
            await locker.close()
        }
    }

    /// It has a row among the workers, and takes no jobs.
    @Test func aCommandIsNoWorker() async throws {
        try await Stage.run { stage in
            stage.world.setLatency(.seconds(30))
            let walk = try stage.start(["backfill"])
            try await stage.database.wait(for: "SELECT string_agg(command, ',') FROM workers", toBe: "backfill")
            let ended = try await stage.command(["status", "--check"])
            #expect(ended.status == 1 && ended.output.hasPrefix("STOPPED · no worker runs"), "\(ended.output)")
            #expect(ended.output.contains("command backfill"))
            #expect(ended.output.contains(" 0 workers\n"))
            try await walk.kill9()
        }
    }

    /// Jobs that wait hide what is in hand among them: that is then not known, and not nothing.
    @Test func whatWaitsIsNotCountedEither() async throws {
        try await Stage.run { stage in
            try await stage.database.run(
                """
                INSERT INTO enrichment_queue (engagement_id, available_at)
                SELECT 'ngmt_' || n, now() + interval '5 minutes' FROM generate_series(1, 20000) AS n
                """)
            let lanes = try #require(try await status(stage)["queue"] as? [[String: Any]])
            #expect(lanes[1]["waiting"] as? Int == 10_001 && lanes[1]["in_hand"] is NSNull)
            #expect(lanes[0]["waiting"] as? Int == 0 && lanes[0]["in_hand"] as? Int == 0)
        }
    }

    @Test func watchingShowsItAgainUntilItIsStopped() async throws {
        try await Stage.run { stage in
            let watcher = try stage.start(["status", "--watch", "--output", "json"])
            try await eventually("two looks") { watcher.output.split(separator: "\n").count >= 2 }
            for line in watcher.output.split(separator: "\n").prefix(2) {
                #expect(try JSONSerialization.jsonObject(with: Data(line.utf8)) is [String: Any])
            }
            watcher.signal(SIGTERM)
            _ = try await watcher.exitStatus()
        }
    }

    @Test func watchingGoesOnWhenTheDatabaseGoesAway() async throws {
        let proxy = try FaultProxy(to: TestCluster.port)
        defer { proxy.stop() }
        try await Stage.run { stage in
            let watcher = try stage.start(
                ["status", "--watch", "--output", "json"], ["DATABASE_URL": stage.database.conninfo(through: proxy)])
            func looks() -> Int { watcher.output.split(separator: "\n").count }
            try await eventually("a look") { looks() >= 1 }
            proxy.set(.refuse)
            try await eventually("it is told") { watcher.errors.contains("tried until it is back") }
            let before = looks()
            proxy.set(.none)
            try await eventually("it looks again") { looks() > before }
            #expect(watcher.errors.split(separator: "\n").last == "the database is back")
            for line in watcher.output.split(separator: "\n") {
                #expect(try JSONSerialization.jsonObject(with: Data(line.utf8)) is [String: Any])
            }
            #expect(watcher.isRunning)
        }
    }
}
