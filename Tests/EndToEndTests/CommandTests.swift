import Foundation
import Glibc
import Simulator
import TestKit
import Testing

/// The commands at their work: results on standard output, everything else on standard error.
struct CommandTests {
    @Test func enqueueQueuesIDsFromArgumentsAndStandardInput() async throws {
        try await Stage.run { stage in
            let named = try await stage.command(
                ["enqueue", "--reason", "a 'test'", "--priority", "-2", stage.world.id(1), stage.world.id(2)])
            #expect(named.status == 0)
            #expect(named.output == "queued 2\n")
            #expect(named.errors == "")
            let lines = stage.ids(10..<2_510).joined(separator: "\r\n") + "\n\n  \(stage.world.id(3))  "
            let piped = try await stage.command(["enqueue", "-"], input: lines)
            #expect(piped.output == "queued 2501\n")
            let rows = "SELECT count(*) FROM enrichment_queue WHERE "
            let isNamed = "reason = 'a ''test''' AND priority = -2"
            #expect(try await stage.database.count(rows + isNamed) == 2)
            #expect(try await stage.database.count(rows + "reason IS NULL AND priority = 0") == 2_501)
            #expect(try await stage.database.count(rows + "engagement_id !~ '^ngmt_[A-Za-z0-9]{1,64}$'") == 0)
        }
    }

    @Test func aTokenThatOthersMayReadIsToldOfAtStart() async throws {
        let file = TestCluster.folder + "/token-\(UUID().uuidString)"
        try Simulator.demoToken.write(toFile: file, atomically: true, encoding: .utf8)
        defer { try? FileManager.default.removeItem(atPath: file) }
        try await Stage.run { stage in
            for (mode, told) in [(0o644, 1), (0o640, 0), (0o600, 0)] {
                try FileManager.default.setAttributes([.posixPermissions: mode], ofItemAtPath: file)
                let worker = try await stage.worker([], ["ASKELEPHANT_TOKEN": nil, "ASKELEPHANT_TOKEN_FILE": file])
                #expect(worker.records(of: "credential.exposed").count == told)
                worker.signal(SIGTERM)
                #expect(try await worker.exitStatus() == 0)
                let secrets = try Webhooks.secretFile()
                try FileManager.default.setAttributes([.posixPermissions: mode], ofItemAtPath: secrets)
                let receiver = try stage.start([
                    "receive", "--receive-address", "127.0.0.1:0", "--webhook-secret-file", secrets,
                ])
                try await receiver.waitFor("receiver.ready")
                #expect(receiver.records(of: "credential.exposed").count == told)
            }
        }
    }

    @Test func pauseHoldsAllWorkersUntilResume() async throws {
        try await Stage.run { stage in
            let workers = [try await stage.worker(), try await stage.worker()]
            #expect(try await stage.command(["pause", "--by", "jo", "--dry-run"]).output == "would pause, as jo\n")
            #expect(try await stage.database.value("SELECT paused FROM control") == "f")
            let paused = try await stage.command(["pause", "--by", "jo: import"])
            #expect(paused.output.hasPrefix("paused;"))
            let again = try await stage.command(["pause", "--by", "somebody else"])
            #expect(again.status == 0 && again.output.contains("by jo: import since 20"), "\(again.output)")
            try await stage.insert(stage.ids(0..<20))
            #expect(try await stage.command(["status"]).output.contains("jo: import"))
            // A worker that starts meanwhile pauses, too, and does not pass for one that drained the queue.
            let once = try await stage.command(["run", "--once"])
            #expect(once.status == 75 && once.errors.contains("jobs are due, and paused by jo: import"))
            #expect(stage.world.totalRequests == 0)
            let would = try await stage.command(["resume", "--dry-run"])
            #expect(would.output.hasPrefix("would resume after ") && would.output.hasSuffix(" by jo: import\n"))
            #expect(try await stage.database.value("SELECT paused FROM control") == "t")
            let resumed = try await stage.command(["resume"])
            #expect(
                resumed.output.hasPrefix("resumed after ") && resumed.output.contains("by jo: import"),
                "\(resumed.output)")
            try await stage.drained()
            #expect(stage.world.totalRequests >= 20)
            #expect(try await stage.command(["resume"]).output == "nobody had paused it\n")
            #expect(workers.allSatisfy { $0.isRunning })
        }
    }

    @Test func deadLettersCanBeDiscarded() async throws {
        try await Stage.run { stage in
            try await stage.database.run(
                """
                INSERT INTO dead_letters (key, engagement_id, cause)
                SELECT 'ngmt_' || n, 'ngmt_' || n, CASE WHEN n <= 3 THEN 'api' ELSE 'private' END FROM generate_series(1, 6) AS n
                """)
            #expect(try await stage.command(["dead", "discard"]).status == 64)
            let some = try await stage.command(["dead", "discard", "ngmt_1", "ngmt_\u{1B}[2J", "ngmt_9"])
            #expect(some.output == "discarded 1\n" && some.status == 1)
            #expect(some.errors == "no dead letter of ngmt_\\u001b[2J\nno dead letter of ngmt_9\n")
            #expect(try await stage.command(["dead", "discard", "--cause", "api"]).output == "discarded 2\n")
            #expect(
                try await stage.database.value("SELECT string_agg(key, ',' ORDER BY key) FROM dead_letters")
                    == "ngmt_4,ngmt_5,ngmt_6")
            #expect(try await stage.database.value("SELECT state FROM enrichment_state('ngmt_1')") == "unknown")
            // Nobody is at a terminal here, so nobody is asked.
            #expect(try await stage.command(["dead", "discard", "--all", "--yes"]).output == "discarded 3\n")
            #expect(try await stage.database.count("SELECT count(*) FROM enrichment_queue") == 0)
        }
    }

    /// More than one statement takes, and what dies while it works stays dead.
    @Test func manyDeadLettersAreReplayedSliceBySlice() async throws {
        try await Stage.run { stage in
            let insert = """
                INSERT INTO dead_letters (key, engagement_id, cause, last_at)
                SELECT 'ngmt_' || n, 'ngmt_' || n, CASE WHEN n % 4 = 0 THEN 'api' ELSE 'private' END,
                    now() + CASE WHEN n = 2000 THEN interval '1 h' ELSE interval '-1 h' END
                FROM generate_series(1, 24000) AS n
                """
            try await stage.database.run(insert)
            let dry = try await stage.command(["dead", "replay", "--cause", "api", "--dry-run"])
            #expect(dry.output == "would queue 6000\n")
            #expect(try await stage.database.count(Stage.jobs) == 0)
            let cause = try await stage.command(["dead", "replay", "--cause", "api"])
            #expect(cause.output == "queued 5999\n" && cause.status == 0)
            let all = try await stage.command(["dead", "replay", "--all"])
            #expect(all.output == "queued 18000\n")
            #expect(try await stage.database.value("SELECT string_agg(key, ',') FROM dead_letters") == "ngmt_2000")
            #expect(
                try await stage.database.count("SELECT count(DISTINCT engagement_id) FROM enrichment_queue") == 23_999)
            try await stage.database.run("TRUNCATE dead_letters; " + insert)
            #expect(try await stage.command(["dead", "discard", "--all"]).output == "discarded 23999\n")
        }
    }

    @Test func aListThatIsCutSaysSo() async throws {
        try await Stage.run { stage in
            try await stage.database.run(
                """
                INSERT INTO dead_letters (key, engagement_id, cause)
                SELECT 'queue:' || n, 'no id ' || n, CASE WHEN n <= 100 THEN 'invalid_id' ELSE 'api' END
                FROM generate_series(1, 2345) AS n
                """)
            let cut = try await stage.command(["dead", "list"])
            #expect(cut.output.split(separator: "\n").count == 101)
            #expect(cut.errors == "and 2,245 more: --limit\n")
            // By what was inserted one knows it.
            #expect(cut.output.contains("no id "))
            let whole = try await stage.command(["dead", "list", "--cause", "invalid_id"])
            #expect(whole.errors == "" && whole.output.split(separator: "\n").count == 101)
            for limit in ["0", "-1"] {
                #expect(try await stage.command(["dead", "list", "--limit=\(limit)"]).status == 64)
            }
        }
    }

    @Test func aNameCommandsNoTerminal() async throws {
        try await Stage.run { stage in
            let name = "jo\u{1B}[2J"
            let would = try await stage.command(["pause", "--by", name, "--dry-run"])
            #expect(would.output == "would pause, as jo\\u001b[2J\n")
            _ = try await stage.command(["pause", "--by", name])
            let again = try await stage.command(["pause"])
            #expect(again.output.hasPrefix("paused already, by jo\\u001b[2J since "), "\(again.output)")
            let resumed = try await stage.command(["resume"])
            #expect(resumed.output.hasSuffix("; it was paused by jo\\u001b[2J\n"), "\(resumed.output)")
        }
    }

    /// Nobody would be held.
    @Test func withoutARowInControlNothingIsCalledPaused() async throws {
        try await Stage.run { stage in
            try await stage.database.run("DELETE FROM control")
            for command in [["pause"], ["pause", "--dry-run"], ["resume"]] {
                let ended = try await stage.command(command)
                #expect(ended.status == 65 && ended.output == "", "\(ended.output)")
                #expect(ended.errors.contains("INSERT INTO \"askelephant\".control DEFAULT VALUES;"), "\(ended.errors)")
            }
            try await stage.database.run(#"INSERT INTO "askelephant".control DEFAULT VALUES;"#)
            #expect(try await stage.command(["pause"]).status == 0)
        }
    }

    /// Nobody reads any more (`| head -1`): it ends as other programs do, without a word.
    @Test(arguments: [
        ["status", "--watch"], ["status", "--watch", "--output", "json"], ["dead", "list"], ["doctor"],
    ])
    func whatNobodyReadsEnds(_ arguments: [String]) async throws {
        try await Stage.run { stage in
            let process = try stage.start(arguments, output: .closed)
            #expect(try await process.exitStatus(within: .seconds(20)) == -SIGPIPE)
            #expect(process.errors == "")
        }
    }

    /// A purge is no purge before its end.
    @Test func whatNobodyReadsOfIsPurgedAllTheSame() async throws {
        try await Stage.run { stage in
            let id = stage.world.id(1)
            #expect(try await stage.command(["enrich", id]).status == 0)
            let process = try stage.start(["purge", id], output: .closed)
            #expect(try await process.exitStatus() == 0, "\(process.errors)")
            #expect(process.errors.contains("looking through "))
            #expect(try await stage.database.count("SELECT count(*) FROM purge_needles") == 0)
            #expect(try await stage.database.value("SELECT state FROM enrichment_state('\(id)')") == "purged")
        }
    }

    @Test func aFullDiskIsNoSuccess() async throws {
        try await Stage.run { stage in
            let process = try stage.start(["dead", "list"], output: .full)
            #expect(try await process.exitStatus() == 78)
            #expect(process.errors.contains("standard output cannot be written: No space left on device"))
        }
    }

    /// A terminal that closes takes what runs in it along.
    @Test func hangUpEndsWhatHandlesNone() async throws {
        try await Stage.run { stage in
            let watch = ["status", "--watch", "--output", "json"]
            let watcher = try stage.start(watch, through: ["env", "--default-signal=HUP"])
            try await eventually("a look") { watcher.output.contains("\n") }
            #expect(!watcher.survivesHangUp)
            watcher.signal(SIGHUP)
            #expect(try await watcher.exitStatus(within: .seconds(5)) == -SIGHUP)
            // Unless it was told otherwise: nohup.
            let told = try stage.start(watch, through: ["env", "--ignore-signal=HUP"])
            try await eventually("a look") { told.output.contains("\n") }
            #expect(told.survivesHangUp)
        }
    }

    @Test func enqueueIsAllOrNothing() async throws {
        try await Stage.run { stage in
            let ended = try await stage.command(["enqueue", "-"], input: "\(stage.world.id(1))\nngmt_\u{1B}[2J\n")
            #expect(ended.status == 64)
            #expect(ended.errors.contains("1 of 2"))
            #expect(!ended.errors.contains("\u{1B}"))
            #expect(try await stage.database.count(Stage.jobs) == 0)
        }
    }

    @Test func enrichShowsWhatWasWritten() async throws {
        try await Stage.run { stage in
            let ids = stage.ids(0..<3)
            let table = try await stage.command(["enrich", ids[0]])
            #expect(table.status == 0)
            #expect(table.output.contains(ids[0]))
            #expect(!table.output.contains("job.done"))
            #expect(table.errors.contains("job.done"))
            let json = try await stage.command(["enrich", "--output", "json"] + ids)
            #expect(json.status == 0)
            let rows = try #require(try Self.parse(json.output) as? [[String: Any]])
            #expect(rows.map { $0["id"] as? String } == ids)
            #expect(rows.allSatisfy { $0["observed_at"] is String })
            #expect(try await stage.database.count(Stage.jobs) == 0)
            #expect(try await stage.database.count("SELECT count(*) FROM workers") == 0)
        }
    }

    @Test func enrichOfWhatCannotBeReadIsExitCodeOne() async throws {
        try await Stage.run { stage in
            let (there, missing) = (stage.world.id(1), stage.world.id(2))
            stage.world.setMissing(missing)
            let ended = try await stage.command(["enrich", "--output", "json", there, missing])
            #expect(ended.status == 1)
            #expect(try await stage.database.value("SELECT id FROM engagements") == there)
            #expect(try Self.parse(ended.output) is [Any])
        }
    }

    /// The source was restored from a backup: it is right, though it says that it is older.
    @Test func enrichForceWinsOverANewerSnapshot() async throws {
        try await Stage.run { stage in
            let id = stage.world.id(1)
            let title = "SELECT title FROM engagements"
            let answer = { (title: String, month: Int) in
                SimResponse.json(#"{"id":"\#(id)","title":"\#(title)","updated_at":"2020-0\#(month)-01T00:00:00Z"}"#)
            }
            stage.world.override(id, answer("before the accident", 2))
            #expect(try await stage.command(["enrich", id]).status == 0)
            stage.world.override(id, answer("restored", 1))
            let ordinary = try await stage.command(["enrich", id])
            #expect(ordinary.status == 0)
            #expect(ordinary.errors.contains(#""outcome":"superseded""#))
            #expect(try await stage.database.value(title) == "before the accident")
            let forced = try await stage.command(["enrich", "--force", id])
            #expect(forced.status == 0)
            #expect(try await stage.database.value(title) == "restored")
        }
    }

    @Test func statusTellsOfTheWholeAndOfOne() async throws {
        try await Stage.run { stage in
            let (done, dead, waiting) = (stage.world.id(1), "nonsense", stage.world.id(3))
            try await stage.insert([done, dead])
            _ = try await stage.command(["run", "--once"])
            try await stage.insert([waiting])
            let table = try await stage.command(["status"])
            #expect(table.status == 0)
            #expect(table.errors == "")
            for title in ["queue", "parts of 1 engagement", "workers", "dead letters", "completeness"] {
                #expect(table.output.contains(title + "\n"))
            }
            let json = try await stage.command(["status", "--output", "json"])
            let overview = try #require(try Self.parse(json.output) as? [String: Any])
            let lanes = try #require(overview["queue"] as? [[String: Any]])
            #expect(lanes.map { $0["due"] as? Int } == [0, 1, 0])
            #expect((overview["dead_letters"] as? [[String: Any]])?.map { $0["cause"] as? String } == ["invalid_id"])

            for (id, state) in [(done, "done"), (dead, "dead"), (waiting, "queued"), ("ngmt_never", "unknown")] {
                let ended = try await stage.command(["status", id, "--output", "json"])
                #expect(ended.status == 0)
                let shown = try #require(try Self.parse(ended.output) as? [String: Any])
                #expect((shown["state"] as? [String: Any])?["state"] as? String == state)
                #expect((shown["engagement"] is [String: Any]) == (id == done))
                let table = try await stage.command(["status", id])
                #expect(table.output.contains(state))
            }
        }
    }

    @Test func deadLettersAreListedShownAndReplayed() async throws {
        try await Stage.run { stage in
            let ids = stage.ids(0..<3)
            for id in ids { stage.world.override(id, .json(#"{"title":"no","status":400}"#, status: 400)) }
            try await stage.insert(ids + ["nonsense"])
            #expect(try await stage.command(["run", "--once"]).status == 1)

            let list = try await stage.command(["dead", "list", "--output", "json"])
            #expect(list.status == 0)
            #expect(try #require(try Self.parse(list.output) as? [Any]).count == 4)
            let some = try await stage.command([
                "dead", "list", "--cause", "rejected", "--limit", "2", "--output", "json",
            ])
            let letters = try #require(try Self.parse(some.output) as? [[String: Any]])
            #expect(letters.count == 2)
            #expect(letters.allSatisfy { $0["cause"] as? String == "rejected" })
            #expect(try await stage.command(["dead", "list"]).output.contains("invalid_id"))
            let one = try await stage.command(["dead", "show", ids[0], "--output", "json"])
            let letter = try #require((try Self.parse(one.output) as? [[String: Any]])?.first)
            #expect(letter["key"] as? String == ids[0])
            #expect(letter["cause"] as? String == "rejected")
            let never = try await stage.command(["dead", "show", "ngmt_never"])
            #expect(never.output == "none\n" && never.status == 1)
            #expect(never.errors == "no dead letter of ngmt_never\n")

            let first = try await stage.command(["dead", "replay", ids[0]])
            #expect(first.output == "queued 1\n")
            let cause = try await stage.command(["dead", "replay", "--cause", "rejected"])
            #expect(cause.output == "queued 2\n")
            let all = try await stage.command(["dead", "replay", "--all"])
            #expect(all.output == "queued 1\n")
            #expect(try await stage.command(["dead", "replay", "--all"]).output == "queued 0\n")
            for id in ids { stage.world.clearOverride(id) }
            try await stage.database.run("DELETE FROM enrichment_queue WHERE engagement_id = 'nonsense'")
            #expect(try await stage.command(["run", "--once"]).status == 0)
            try await stage.drained()
            #expect(try await stage.database.count("SELECT count(*) FROM engagements") == 3)
        }
    }

    private static func parse(_ text: String) throws -> Any {
        try JSONSerialization.jsonObject(with: Data(text.utf8), options: .fragmentsAllowed)
    }
}
