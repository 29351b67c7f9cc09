import Foundation
import Glibc
import Postgres
import Simulator
import TestKit
import Testing

/// Telling others: the outbox, and the examples that are given for it.
@Suite(.serialized) struct OutboxTests {
    private static func example(_ name: String) throws -> String {
        let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent()
        return try String(contentsOf: root.appending(path: "sql/examples/\(name)"), encoding: .utf8)
    }

    @Test func itIsThereOnlyIfSomebodyWantsIt() async throws {
        try await Stage.run { stage in
            #expect(try await stage.command(["migrate"]).status == 0)
            let there = "SELECT to_regclass('outbox') IS NOT NULL"
            #expect(try await stage.database.value(there) == "f")
            try await stage.insert(stage.ids(0..<3))
            #expect(try await stage.command(["run", "--once"]).status == 0)
            for _ in 0..<2 { #expect(try await stage.command(["migrate", "--with-outbox"]).status == 0) }
            #expect(try await stage.database.value(there) == "t")
            let script = try await stage.command(["migrate", "--sql", "--with-outbox"]).output
            #expect(script.contains("CREATE OR REPLACE TRIGGER fill_outbox_insert"))
        }
    }

    @Test func aRowForEachChangeAndNoneWithout() async throws {
        try await Stage.run { stage in
            #expect(try await stage.command(["migrate", "--with-outbox"]).status == 0)
            let listener = try await stage.database.connect()
            let channel = try await stage.database.value("SELECT outbox_channel()") ?? ""
            try await listener.listen(channel: channel)
            let ids = stage.ids(0..<50)
            let rows = "SELECT count(*) FROM outbox_ready"
            try await stage.insert(ids)
            _ = try await stage.worker(["--retain-transcripts", "1d"])
            try await stage.drained()
            #expect(try await stage.database.count(rows) == 50)
            #expect(try await stage.database.count("SELECT count(DISTINCT engagement_id) FROM outbox") == 50)
            #expect(try await listener.waitForNotifications(timeout: .seconds(5)).allSatisfy { $0 == channel })

            try await stage.insert(ids)
            try await stage.drained()
            #expect(try await stage.database.count(rows) == 50, "nothing changed")
            stage.world.bump(ids[0])
            stage.world.setGone(ids[1])
            try await stage.insert([ids[0]])
            try await stage.database.run(
                "INSERT INTO enrichment_queue (engagement_id, reason) VALUES ('\(ids[1])', 'deleted')")
            try await stage.drained()
            let gone = "SELECT string_agg(is_gone::text, ',' ORDER BY tx) FROM outbox WHERE engagement_id = "
            #expect(try await stage.database.value(gone + "'\(ids[0])'") == "false,false")
            #expect(try await stage.database.value(gone + "'\(ids[1])'") == "false,true")

            #expect(try await stage.command(["purge", ids[2]]).status == 0)
            #expect(try await stage.database.traces(of: [ids[2]]) == [])
            let purged =
                "SELECT count(*) FROM outbox WHERE engagement_id IS NULL AND is_gone AND _key = suppression_key('engagement', '\(ids[2])')"
            #expect(try await stage.database.count(purged) == 1)
            #expect(try await stage.command(["purge", ids[2], "--forget"]).status == 0)
            #expect(try await stage.database.count(purged) == 0)

            try await stage.database.run("UPDATE control SET outbox_kept = '1 hour'")
            try await stage.database.run("UPDATE outbox SET changed_at = now() - interval '2 hours'")
            _ = try await stage.worker()
            try await stage.database.wait(for: "SELECT count(*) FROM outbox", toBe: "0")
            await listener.close()
        }
    }

    /// The example as it stands in the repository, beside workers that write and changes that are committed late.
    @Test func theExampleConsumerMissesNothing() async throws {
        let seed = TruthSeed.draw("outbox")
        var random = SeededRandom(seed: seed)
        try await Stage.run(seed: seed) { stage in
            #expect(try await stage.command(["migrate", "--with-outbox"]).status == 0)
            try await stage.database.run(try Self.example("consumer.sql"))
            try await stage.database.run("SELECT follower.follow_all()")
            let ids = stage.ids(0..<600)
            let workers = [try await stage.worker(), try await stage.worker()]
            let late = try await stage.database.connect()
            var steps = 0
            for round in 0..<30 {
                let some = ids.shuffled(using: &random).prefix(40)
                for id in some { stage.world.bump(id) }
                if round.isMultiple(of: 7), let id = some.first { stage.world.setGone(id) }
                try await stage.insert(Array(some))
                // Begins early, is committed late: what comes in between is not read before it.
                if round % 5 == 0 {
                    try await late.run(
                        script: """
                            BEGIN; UPDATE engagements SET title = 'late \(round)', _changed_at = now()
                            WHERE id = (SELECT max(id) FROM engagements)
                            """, name: "late")
                }
                if round % 5 == 2 { try await late.run(script: "COMMIT", name: "commit") }
                let due = "SELECT count(*) FROM enrichment_queue WHERE available_at <= now() AND leased_by IS NULL"
                try await stage.database.wait(for: due, toBe: "0")
                steps += try await stage.database.count("SELECT follower.follow_step(25)") > 0 ? 1 : 0
            }
            await late.close()
            try await stage.database.wait(
                for: "SELECT count(*) FROM enrichment_queue WHERE available_at <= now() AND leased_by IS NULL",
                toBe: "0")
            for worker in workers {
                worker.signal(SIGTERM)
                #expect(try await worker.exitStatus() == 0)
            }
            #expect(steps > 5, "it did not run beside them")
            while try await stage.database.count("SELECT follower.follow_step(100)") > 0 {}
            let difference = """
                SELECT count(*) FROM (
                    (SELECT id, _key, title, occurred_at, owner_user_id FROM engagements_live EXCEPT SELECT * FROM follower.engagement)
                    UNION ALL
                    (SELECT * FROM follower.engagement EXCEPT SELECT id, _key, title, occurred_at, owner_user_id FROM engagements_live)) AS d
                """
            #expect(try await stage.database.count("SELECT count(*) FROM follower.engagement") > 300)
            #expect(try await stage.database.count(difference) == 0)
        }
    }

    /// A purge reaches the copy.
    @Test func theExampleConsumerForgetsWhatWasPurged() async throws {
        try await Stage.run { stage in
            #expect(try await stage.command(["migrate", "--with-outbox"]).status == 0)
            try await stage.database.run(try Self.example("consumer.sql"))
            try await stage.insert(stage.ids(0..<5))
            #expect(try await stage.command(["run", "--once"]).status == 0)
            while try await stage.database.count("SELECT follower.follow_step(2)") > 0 {}
            let copies = "SELECT count(*) FROM follower.engagement"
            #expect(try await stage.database.count(copies) == 5)
            #expect(try await stage.command(["purge", stage.world.id(3)]).status == 0)
            while try await stage.database.count("SELECT follower.follow_step(2)") > 0 {}
            #expect(try await stage.database.count(copies + " WHERE id = '\(stage.world.id(3))'") == 0)
            #expect(try await stage.database.count(copies) == 4)
        }
    }

    @Test func theExampleTriggerEnqueues() async throws {
        try await Stage.run { stage in
            try await stage.database.run("CREATE TABLE deals (id bigint PRIMARY KEY, engagement_id text, stage text)")
            try await stage.database.run(try Self.example("enqueue_trigger.sql"))
            _ = try await stage.worker()
            let ids = stage.ids(0..<20)
            try await stage.database.run(
                "INSERT INTO deals VALUES (0, NULL, 'new'), (100, 'no id at all', 'new'), "
                    + ids.enumerated().map { "(\($0 + 1), '\($1)', 'new')" }.joined(separator: ","))
            try await stage.database.wait(for: "SELECT count(*) FROM engagements_live", toBe: "20")
            try await stage.database.wait(for: "SELECT string_agg(cause, ',') FROM dead_letters", toBe: "invalid_id")
            let asked = stage.world.totalRequests
            try await stage.database.run("UPDATE deals SET stage = 'won' WHERE id = 1")
            try await stage.world.waitForRequests(total: asked + 1)
        }
    }
}
