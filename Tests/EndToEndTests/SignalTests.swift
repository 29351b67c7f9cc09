import Foundation
import Glibc
import Simulator
import TestKit
import Testing

/// What signals do to a worker, before it is ready, under load, and while the API hangs.
@Suite(.serialized) struct SignalTests {
    @Test func termUnderLoadLeavesNothingLeasedAndOneLineAClaim() async throws {
        try await Stage.run { stage in
            try await stage.database.run(Audit.install)
            stage.world.setLatency(.milliseconds(20))
            let ids = stage.ids(0..<2_000)
            // Twice, so that rows hang on one another's fetch.
            try await stage.insert(ids + ids.prefix(1_000))
            let worker = try await stage.worker()
            try await eventually("500 jobs ended") {
                try await stage.database.count("SELECT count(*) FROM enrichment_queue") <= 2_500
            }
            worker.signal(SIGTERM)
            #expect(try await worker.exitStatus(within: .seconds(28)) == 0)
            try await Self.expectNothingHeld(stage)
            let done = worker.records(of: "job.done")
            let ended = done.map { 1 + ($0["coalesced"] as? Int ?? 0) }.reduce(0, +)
            #expect(ended == (try await stage.database.count("SELECT count(*) FROM audit_claims")))
            let released = done.filter { $0["outcome"] as? String == "released" }
            let given = released.map { 1 + ($0["coalesced"] as? Int ?? 0) }.reduce(0, +)
            #expect(ended - given == (try await stage.database.count("SELECT count(*) FROM audit_gone")))
            #expect(try await stage.database.count("SELECT count(*) FROM enrichment_queue") > 0)
            #expect(try await stage.database.value(Audit.faults) == "")
            #expect(worker.records(of: "worker.stop").first?["exit_code"] as? Int == 0)
        }
    }

    @Test func termWhileTheAPIHangsEndsWithinTheDrainTimeout() async throws {
        try await Stage.run { stage in
            let ids = stage.ids(0..<30)
            for id in ids { stage.world.hold(id) }
            let worker = try await stage.worker(["--drain-timeout", "3s"])
            // The first request of a credential goes out alone.
            try await stage.insert([stage.world.id(100)])
            try await worker.waitFor("job.done")
            try await stage.insert(ids)
            try await stage.world.waitForRequests(total: 31)
            worker.signal(SIGTERM)
            #expect(try await worker.exitStatus(within: .seconds(5)) == 0)
            try await Self.expectNothingHeld(stage)
            let back =
                "SELECT count(*) FROM enrichment_queue WHERE available_at <= now() AND attempts = 0 AND losses = 0"
            #expect(try await stage.database.count(back) == 30)
        }
    }

    /// All failed, and wait for the one request that asks whether the API is there at all.
    @Test func termWhileItIsAskedWhetherTheAPIIsThereGivesAllBack() async throws {
        try await Stage.run { stage in
            let worker = try await stage.worker(["--drain-timeout", "2s", "--request-timeout", "3s"])
            try await stage.insert([stage.world.id(100)])
            try await worker.waitFor("job.done")
            stage.world.setLatency(.seconds(60))
            try await stage.insert(stage.ids(0..<3))
            try await stage.world.waitForRequests(total: 1 + 3 + 1)
            worker.signal(SIGTERM)
            #expect(try await worker.exitStatus(within: .seconds(4)) == 0)
            try await Self.expectNothingHeld(stage)
            let back = Stage.jobs + " AND attempts = 0 AND losses = 0"
            #expect(try await stage.database.count(back) == 3)
            #expect(worker.records(of: "api.lost").isEmpty, "it was not answered")
        }
    }

    @Test func secondTermEndsAtOnce() async throws {
        try await Stage.run { stage in
            let ids = stage.ids(0..<5)
            for id in ids { stage.world.hold(id) }
            try await stage.insert(ids)
            let worker = try await stage.worker(["--concurrency", "1"])
            try await stage.waitForLeases(5, of: worker)
            try await stage.world.waitForRequests(total: 1)
            worker.signal(SIGTERM)
            // What no request is out for goes back at once, by which the first signal is known to have arrived.
            try await worker.waitFor("job.done", count: 4)
            worker.signal(SIGTERM)
            #expect(try await worker.exitStatus(within: .seconds(2)) == 75)
            #expect(worker.records(of: "worker.stop").first?["exit_code"] as? Int == 75)
        }
    }

    /// The port is closed, or something listens that never answers.
    @Test(arguments: [false, true])
    func termBeforeReadyEndsWithinTwoSeconds(_ isSilent: Bool) async throws {
        let listener = try SilentListener()
        defer { listener.close() }
        if !isSilent { listener.close() }
        try await Stage.run { stage in
            for _ in 0..<5 {
                let url = "host=127.0.0.1 port=\(listener.port) user=postgres dbname=postgres"
                let worker = try stage.start(["run"], ["DATABASE_URL": url])
                try await worker.waitFor("worker.start")
                worker.signal(SIGTERM)
                #expect(try await worker.exitStatus(within: .seconds(2)) == 0)
            }
        }
    }

    /// `faults.md` 65, with a file, and nobody rings: the job is charged nothing, the worker says it once and lives on.
    @Test func aTokenFileThatIsMendedIsTriedWithinTwoSeconds() async throws {
        let file = TestCluster.folder + "/token-\(UUID().uuidString)"
        try "sk-apik_wrong.canary".write(toFile: file, atomically: true, encoding: .utf8)
        defer { try? FileManager.default.removeItem(atPath: file) }
        try await Stage.run { stage in
            let worker = try await stage.worker(
                ["--concurrency", "2"], ["ASKELEPHANT_TOKEN": nil, "ASKELEPHANT_TOKEN_FILE": file])
            try await stage.insert(stage.ids(0..<20))
            try await worker.waitFor("credential.invalid")
            try await stage.database.wait(
                for: "SELECT count(*) FROM enrichment_queue WHERE leased_by IS NULL AND coalesce(attempts, 0) = 0",
                toBe: "20")
            let wasted = stage.world.totalRequests
            try Simulator.demoToken.write(toFile: file, atomically: true, encoding: .utf8)
            try await worker.waitFor("credential.restored", within: .seconds(2))
            try await stage.drained()
            #expect(worker.records(of: "credential.invalid").count == 1)
            #expect(wasted <= 3, "what no page can be read with is not asked again and again")
            #expect(!worker.output.contains("canary"))
        }
    }

    /// `faults.md` 66: there is no file any more, or nothing in it. Both are as good as a token that is refused; a newline of
    /// any kind at its end belongs to no header.
    @Test(arguments: [nil, "", "\r\n"])
    func aTokenFileThatGoesAwayIsWaitedFor(_ text: String?) async throws {
        let file = TestCluster.folder + "/token-\(UUID().uuidString)"
        try Simulator.demoToken.write(toFile: file, atomically: true, encoding: .utf8)
        defer { try? FileManager.default.removeItem(atPath: file) }
        try await Stage.run { stage in
            let worker = try await stage.worker([], ["ASKELEPHANT_TOKEN": nil, "ASKELEPHANT_TOKEN_FILE": file])
            try await stage.insert(stage.ids(0..<5))
            try await stage.drained()
            if let text {
                try text.write(toFile: file, atomically: true, encoding: .utf8)
            } else {
                try FileManager.default.removeItem(atPath: file)
            }
            try await worker.waitFor("credential.invalid")
            try await stage.insert(stage.ids(5..<20))
            #expect(try await stage.database.count("SELECT count(*) FROM enrichment_queue WHERE attempts > 0") == 0)
            try (Simulator.demoToken + "\r\n").write(toFile: file, atomically: true, encoding: .utf8)
            try await worker.waitFor("credential.restored", within: .seconds(2))
            try await stage.drained()
            #expect(stage.ids(5..<20).allSatisfy { stage.world.requestCount(for: $0) == 1 })
            #expect(worker.isRunning)
        }
    }

    /// Without a signal it would be tried again after 15 min.
    @Test func hangUpTriesAgainWhatWasDenied() async throws {
        try await Stage.run { stage in
            stage.world.setToken(Simulator.demoToken, scopes: SimScope.all.subtracting(["companies:read"]))
            let worker = try await stage.worker()
            try await stage.insert(stage.ids(0..<3))
            try await worker.waitFor("scope.denied")
            try await stage.drained()
            stage.world.grant("companies:read", to: Simulator.demoToken)
            worker.signal(SIGHUP)
            try await worker.waitFor("scope.granted")
            try await stage.database.wait(
                for: "SELECT count(*) FROM engagement_gaps WHERE part = 'companies'", toBe: "0")
            #expect(worker.isRunning)
        }
    }

    @Test func hangUpDuringTheStartDoesNotEndIt() async throws {
        try await Stage.run { stage in
            let worker = try stage.start(["run"])
            try await eventually("its first instruction") { worker.survivesHangUp }
            try await eventually("ready under hang-ups") {
                worker.signal(SIGHUP)
                return !worker.records(of: "worker.ready").isEmpty
            }
            try await stage.insert([stage.world.id(1)])
            try await stage.drained()
        }
    }

    /// Nobody has the other end, or nobody reads there, or it is a disk that is full.
    @Test(arguments: [WorkerProcess.Output.closed, .unread, .full])
    func anOutputThatTakesNothingDoesNotEndIt(_ output: WorkerProcess.Output) async throws {
        try await Stage.run { stage in
            let worker = try stage.start(["run"], output: output)
            // Far more lines than a pipe holds, and for the one that blocks than are kept.
            try await stage.insert(stage.ids(0..<(output == .unread ? 10_000 : 500)))
            try await stage.drained()
            if output == .unread {
                var text = worker.readUnread()
                #expect(text.contains("worker.start"))
                try await eventually("the worker says what it dropped") {
                    // Of what was looked at already only what may be the beginning.
                    text = String(text.suffix(100)) + worker.readUnread()
                    return text.contains(#""event":"log.dropped""#)
                }
            }
            #expect(worker.isRunning)
            worker.signal(SIGTERM)
            #expect(try await worker.exitStatus(within: .seconds(28)) == 0)
        }
    }

    private static func expectNothingHeld(_ stage: Stage) async throws {
        let held = try await stage.database.count("SELECT count(*) FROM enrichment_queue WHERE leased_by IS NOT NULL")
        #expect(held == 0)
        #expect(try await stage.database.count("SELECT count(*) FROM workers") == 0)
    }
}

/// A port on loopback that takes connections and never says anything.
final class SilentListener {
    let port: UInt16
    private var descriptor: Int32

    init() throws { (descriptor, port) = try Loopback.listen() }

    func close() {
        guard descriptor >= 0 else { return }
        _ = Glibc.close(descriptor)
        descriptor = -1
    }
}
