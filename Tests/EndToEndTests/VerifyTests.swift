import Foundation
import Simulator
import TestKit
import Testing

/// History in, and the proof that nothing is missing: `backfill`, `run --sweep-interval` and `verify` together.
@Suite(.serialized) struct VerifyTests {
    private static let count = size("TEST_BACKFILL", or: 1_000)
    private static let token = "sk-apik_some.secret"

    private struct Found: Decodable {
        struct One: Decodable, Hashable {
            var id: String
            var cause: String
        }
        var listed: Int
        var counts: [String: Int]
        var drift: [One]
        var unknown: [String]
    }

    private static func verify(_ stage: Stage, _ flags: [String] = []) async throws -> (status: Int32, found: Found) {
        let ended = try await stage.command(["verify", "--output", "json"] + flags, ["ASKELEPHANT_TOKEN": token])
        let found = try JSONDecoder().decode(Found.self, from: Data(ended.output.utf8))
        return (ended.status, found)
    }

    private static func enrichAll(_ stage: Stage) async throws {
        let ended = try await stage.command(["run", "--once"], ["ASKELEPHANT_TOKEN": token])
        #expect(ended.status == 0, "\(ended.errors)")
    }

    /// The whole way, as an operator goes it. The credential may not read private engagements.
    @Test func whatIsMissingIsNamedAndComesBack() async throws {
        let seed = TruthSeed.draw("verify")
        var random = SeededRandom(seed: seed)
        try await Stage.run(seed: seed) { stage in
            let scopes = SimScope.all.subtracting(["engagements:private:read"])
            stage.world.setToken(Self.token, scopes: scopes)
            let ids = stage.ids(0..<Self.count).shuffled(using: &random)
            let (hidden, open) = (ids[..<(Self.count * 3 / 100)], Array(ids[(Self.count * 3 / 100)...]))
            stage.world.register(ids)
            for id in hidden { stage.world.setPrivate(id) }
            // They change while the list is read.
            let process = try stage.start(["backfill"], ["ASKELEPHANT_TOKEN": Self.token])
            while process.isRunning {
                for _ in 0..<5 { stage.world.bump(open.randomElement(using: &random)!) }
                await Task.yield()
            }
            #expect(try await process.exitStatus() == 0)
            try await Self.enrichAll(stage)
            let whole = try await Self.verify(stage)
            #expect(
                whole.status == 0 && whole.found.drift.isEmpty && whole.found.listed == open.count, "\(whole.found)")

            let (changed, deleted) = (open[0..<50], open[50..<70])
            let (closed, lost) = (open[70..<80], open[80..<85])
            for id in changed { stage.world.bump(id) }
            for id in deleted { stage.world.setGone(id) }
            for id in closed { stage.world.setPrivate(id) }
            try await stage.database.run(
                "DELETE FROM engagements WHERE id IN (\(lost.map { "'\($0)'" }.joined(separator: ",")))")
            let drifted = try await Self.verify(stage)
            #expect(drifted.status == 1)
            let expected =
                changed.map { Found.One(id: $0, cause: "older") }
                + (deleted + closed).map { .init(id: $0, cause: "unlisted") }
                + lost.map { .init(id: $0, cause: "missing") }
            #expect(Set(drifted.found.drift) == Set(expected), "\(drifted.found.counts)")

            // A day later: the next sweep, and what the webhooks said of the deletions.
            try await stage.database.run("UPDATE engagements SET _observed_at = _observed_at - interval '1 day'")
            // What was hidden meanwhile changed lately, so it is looked at once more.
            try await stage.database.run(
                "UPDATE engagements SET updated_at = now() WHERE id IN (\(closed.map { "'\($0)'" }.joined(separator: ",")))"
            )
            try await stage.database.run(
                "INSERT INTO enrichment_queue (engagement_id, reason) VALUES "
                    + deleted.map { "('\($0)', 'deleted')" }.joined(separator: ","))
            let worker = try stage.start(["run", "--sweep-interval", "1h"], ["ASKELEPHANT_TOKEN": Self.token])
            try await worker.waitFor("sweep.done")
            try await stage.database.wait(
                for: "SELECT count(*) FROM enrichment_queue WHERE available_at <= now()", toBe: "0",
                within: .seconds(120))
            // Private ones are looked at five times before they are given up, and hidden from the first on.
            try await eventually("all is as it is listed") {
                let (status, found) = try await Self.verify(stage)
                if status != 0 { print("still: \(found.counts) \(found.drift.prefix(3))") }
                return status == 0
            }
            let live = try await stage.database.count("SELECT count(*) FROM engagements_live")
            #expect(live == open.count - deleted.count - closed.count)
        }
    }

    /// Of what the credential cannot list nothing is said.
    @Test func privateOnesThatCannotBeListedAreUnknown() async throws {
        try await Stage.run { stage in
            let ids = stage.ids(0..<20)
            stage.world.register(ids)
            for id in ids[..<3] { stage.world.setPrivate(id) }
            #expect(try await stage.command(["backfill"]).status == 0)
            #expect(try await stage.command(["run", "--once"]).status == 0)
            stage.world.setToken(Self.token, scopes: SimScope.all.subtracting(["engagements:private:read"]))
            let (status, found) = try await Self.verify(stage)
            #expect(status == 0 && Set(found.unknown) == Set(ids[..<3]) && found.listed == 17)
            let ended = try await stage.command(["verify"], ["ASKELEPHANT_TOKEN": Self.token])
            #expect(ended.output.contains("3 private ones are stored"), "\(ended.output)")
        }
    }

    @Test func repairQueuesWhatDiffers() async throws {
        try await Stage.run { stage in
            stage.world.setToken(Self.token, scopes: SimScope.all)
            stage.world.register(stage.ids(0..<250))
            let before = try await stage.command(["status"])
            #expect(before.output.contains("never"), "\(before.output)")
            let (status, found) = try await Self.verify(stage, ["--repair"])
            #expect(status == 1 && found.counts["missing"] == 250)
            #expect(
                try await stage.database.count(
                    "SELECT count(*) FROM enrichment_queue WHERE reason = 'verify' AND priority < 0") == 250)
            // What waits is not queued again, and differs until it is done.
            #expect(try await Self.verify(stage, ["--repair"]).status == 1)
            #expect(try await stage.database.count("SELECT count(*) FROM enrichment_queue") == 250)
            try await Self.enrichAll(stage)
            #expect(try await Self.verify(stage).status == 0)
            #expect(
                try await stage.database.value(
                    "SELECT concat_ws(' ', listed, drift, finished_at IS NOT NULL) FROM list_walks WHERE name = 'verify'"
                )
                    == "250 0 t")
            // What is here and not there waits once, too.
            stage.world.setGone(stage.world.id(7))
            try await stage.database.run("UPDATE engagements SET _observed_at = _observed_at - interval '1 hour'")
            for _ in 0..<2 { #expect(try await Self.verify(stage, ["--repair"]).found.counts["unlisted"] == 1) }
            #expect(try await stage.database.count(Stage.jobs) == 1)
        }
    }

    /// Of several workers one sweeps; the next sweep goes on where that one ended.
    @Test func oneOfAllWorkersSweeps() async throws {
        try await Stage.run { stage in
            stage.world.register(stage.ids(0..<1_000))
            let workers = [
                try await stage.worker(["--sweep-interval", "1h"]), try await stage.worker(["--sweep-interval", "1h"]),
            ]
            try await stage.database.wait(
                for: "SELECT count(*) FROM engagements", toBe: "1000", within: .seconds(120))
            try await eventually("it is done") { workers.contains { !$0.records(of: "sweep.done").isEmpty } }
            #expect(stage.world.requests.count(where: \.isList) == 11)
            // An hour later there is one more engagement, and nothing else is asked for.
            stage.world.clearJournal()
            let new = stage.world.id(5_000)
            stage.world.register([new])
            stage.world.setVersion(new, 500_000)
            try await stage.database.run("UPDATE list_walks SET finished_at = finished_at - interval '2 hours'")
            // Whether it is time is looked at once a minute.
            try await stage.database.wait(
                for: "SELECT count(*) FROM engagements WHERE id = '\(new)'", toBe: "1", within: .seconds(90))
            try await eventually("it is told") {
                workers.map { $0.records(of: "sweep.done").count }.reduce(0, +) == 2
            }
            #expect(stage.world.requests.count { !$0.isList } == 1)
        }
    }

    /// What keeps the sweep from its end is said once, with the reason; the jobs go on.
    @Test func aSweepThatCannotGoOnSaysSo() async throws {
        try await Stage.run { stage in
            try await stage.database.run(
                """
                CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'no'; END $$;
                CREATE TRIGGER refuse BEFORE INSERT ON list_walks FOR EACH ROW EXECUTE FUNCTION refuse()
                """)
            let worker = try await stage.worker(["--sweep-interval", "1h"])
            try await worker.waitFor("sweep.failed")
            let error = worker.records(of: "sweep.failed").first?["error"] as? String
            #expect(error?.contains("P0001") == true, "\(error ?? "")")
            try await stage.insert([stage.world.id(1)])
            try await stage.drained()
            #expect(try await stage.database.count("SELECT count(*) FROM engagements") == 1)
        }
    }
}
