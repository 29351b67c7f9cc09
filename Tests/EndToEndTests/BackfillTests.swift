import Foundation
import Glibc
import Simulator
import TestKit
import Testing

/// `backfill` as a process, and what workers make of it.
@Suite(.serialized) struct BackfillTests {
    private static let count = size("TEST_BACKFILL", or: 1_000)
    private static let queued = "SELECT count(*) FROM enrichment_queue WHERE reason = 'backfill'"

    private struct Result: Decodable, Equatable {
        var pages: Int
        var listed: Int
        var queued: Int
    }

    private static func backfill(_ stage: Stage, _ flags: [String] = []) async throws -> Result {
        let ended = try await stage.command(["backfill", "--output", "json"] + flags)
        #expect(ended.status == 0, "\(ended.errors)")
        return try JSONDecoder().decode(Result.self, from: Data(ended.output.utf8))
    }

    private static func enrichAll(_ stage: Stage) async throws {
        let ended = try await stage.command(["run", "--once"])
        #expect(ended.status == 0, "\(ended.errors)")
    }

    /// The first run queues all, the second none: it costs its pages and no request of a single engagement.
    @Test func aSecondRunCostsItsPagesAndNothingElse() async throws {
        try await Stage.run { stage in
            stage.world.register(stage.ids(0..<Self.count))
            // Each page begins with the last two of the page before.
            let pages = 1 + (Self.count - 3) / 98
            #expect(try await Self.backfill(stage) == Result(pages: pages, listed: Self.count, queued: Self.count))
            #expect(try await stage.database.count(Self.queued + " AND priority < 0") == Self.count)
            // Nor does one that comes before they are done.
            #expect(try await Self.backfill(stage) == Result(pages: pages, listed: Self.count, queued: 0))
            try await Self.enrichAll(stage)
            #expect(try await stage.database.count("SELECT count(*) FROM engagements") == Self.count)
            stage.world.clearJournal()
            #expect(try await Self.backfill(stage) == Result(pages: pages, listed: Self.count, queued: 0))
            try await Self.enrichAll(stage)
            #expect(stage.world.requests.count { !$0.isList } == 0)
            printFigure("backfill: \(Self.count) engagements, a second run \(pages) pages and no request of one")
        }
    }

    /// What changed, what was lost here, and what was hidden comes back; the rest is left alone.
    @Test func onlyWhatIsNotHeldAsItIsIsQueued() async throws {
        try await Stage.run { stage in
            let ids = stage.ids(0..<200)
            stage.world.register(ids)
            _ = try await Self.backfill(stage)
            try await Self.enrichAll(stage)
            for id in ids[..<5] { stage.world.bump(id) }
            try await stage.database.run("DELETE FROM engagements WHERE id IN ('\(ids[10])', '\(ids[11])')")
            try await stage.database.run(
                "UPDATE engagements SET _unreadable_since = now(), _unreadable_cause = 'private' WHERE id = '\(ids[20])'"
            )
            #expect(try await Self.backfill(stage).queued == 8)
            try await Self.enrichAll(stage)
            #expect(try await stage.database.count("SELECT count(*) FROM engagements_live") == 200)
            #expect(try await Self.backfill(stage).queued == 0)
        }
    }

    /// Killed at any page; the next start goes on where it was, and sees all that was not seen.
    @Test func killedItGoesOnWhereItWas() async throws {
        try await Stage.run { stage in
            stage.world.register(stage.ids(0..<Self.count))
            stage.world.setLatency(.milliseconds(50))
            var starts = 0
            while true {
                let process = try stage.start(["backfill"])
                starts += 1
                let before = try await stage.database.count("SELECT coalesce(sum(pages), 0) FROM list_walks")
                try await eventually("two pages more, or the end") {
                    let pages = try await stage.database.count("SELECT coalesce(sum(pages), 0) FROM list_walks")
                    return pages >= before + 2 || !process.isRunning
                }
                guard process.isRunning else { break }
                try await process.kill9()
            }
            #expect(starts > 2)
            #expect(try await stage.database.count(Self.queued) == Self.count)
            #expect(
                try await stage.database.count("SELECT count(DISTINCT engagement_id) FROM enrichment_queue")
                    == Self.count)
            // The overlap is some pages of this list, which changed within an instant; it is not walked from the beginning.
            #expect(try await stage.database.value("SELECT (finished_at IS NOT NULL)::text FROM list_walks") == "true")
        }
    }

    /// Whatever cursors do, the list is walked by time; also while it changes.
    @Test(arguments: [Switches.Cursors.expired, .byID]) func cursorsAreNotReliedOn(_ cursors: Switches.Cursors)
        async throws
    {
        try await Stage.run { stage in
            let ids = stage.ids(0..<Self.count)
            stage.world.register(ids)
            stage.world.setSwitches { $0.cursors = cursors }
            stage.world.setLatency(.milliseconds(20))
            let process = try stage.start(["backfill"])
            while process.isRunning {
                stage.world.bump(ids.randomElement()!)
                try await Task.sleep(for: .milliseconds(2))
            }
            #expect(try await process.exitStatus() == 0)
            #expect(
                try await stage.database.count("SELECT count(DISTINCT engagement_id) FROM enrichment_queue")
                    == Self.count)
        }
    }

    @Test func whatTheCredentialMayNotListIsNotSeen() async throws {
        try await Stage.run { stage in
            let ids = stage.ids(0..<150)
            stage.world.register(ids)
            for id in ids[..<10] { stage.world.setPrivate(id) }
            stage.world.setToken("sk-apik_some.secret", scopes: ["engagements:read"])
            let ended = try await stage.command(
                ["backfill", "--output", "json"], ["ASKELEPHANT_TOKEN": "sk-apik_some.secret"])
            #expect(ended.status == 0 && ended.output.contains("\"listed\": 140"), "\(ended.output)")
            stage.world.setToken("sk-apik_none.secret", scopes: [])
            let refused = try await stage.command(["backfill"], ["ASKELEPHANT_TOKEN": "sk-apik_none.secret"])
            #expect(refused.status == 77, "\(refused.errors)")
            let unknown = try await stage.command(["backfill"], ["ASKELEPHANT_TOKEN": "sk-apik_unknown.secret"])
            #expect(unknown.status == 77, "\(unknown.errors)")
        }
    }

    @Test(arguments: [
        ["--since", "yesterday"], ["--until", "2026"], ["--since", "2026-02-01", "--until", "2026-01-01"],
    ])
    func aRangeIsOfDatesOrTimes(flags: [String]) async throws {
        try await Stage.run { stage in
            let ended = try await stage.command(["backfill"] + flags)
            #expect(ended.status == 64, "\(ended.errors)")
        }
    }

    /// A limit is found, a failure is waited out; nothing is lost by either.
    @Test func anAPIInTroubleIsWaitedFor() async throws {
        try await Stage.run { stage in
            stage.world.register(stage.ids(0..<500))
            stage.world.setRateLimit(perSecond: 2)
            stage.world.setFault(.badGateway, times: 2)
            let result = try await Self.backfill(stage)
            #expect(result.queued == 500)
        }
    }
}
