import Simulator
import TestKit
import Testing

/// What the process takes at most, by the kernel's own count.
@Suite(.serialized, .timeLimit(.minutes(5))) struct MemoryTests {
    private static let goal = 200

    private static func expectPeak(_ what: String, _ worker: WorkerProcess) throws {
        let peak = try worker.megabytes(.most)
        let expected = try #require(worker.records(of: "worker.start").first?["expected_peak_mb"] as? Int)
        printFigure("memory: \(what): \(peak) MB at most, \(expected) MB expected")
        #expect(peak <= goal, "\(what)")
        #expect(peak <= expected, "\(what)")
    }

    @Test func aMountainOfLargeDocuments() async throws {
        try await Stage.run { stage in
            stage.world.setTranscriptBytes(5_000_000...5_000_000)
            let worker = try await stage.worker()
            try await stage.database.wait(for: "SELECT count(*) FROM workers WHERE idle_until > now()", toBe: "1")
            let idle = try worker.megabytes(.now)
            printFigure("memory: idle: \(idle) MB")
            #expect(idle <= 45)
            try await stage.insert(stage.ids(0..<200))
            try await stage.drained(within: .seconds(240))
            let stored = "SELECT count(*) FROM engagement_transcripts WHERE length(transcript) > 2000000"
            // Not every kind of engagement has one.
            #expect(try await stage.database.count(stored) > 100)
            try Self.expectPeak("200 documents of 5 MB", worker)
        }
    }

    @Test(arguments: [true, false]) func aBodyOfAGigabyte(_ isAnnounced: Bool) async throws {
        let server = try EndlessServer(size: 1 << 30, isAnnounced: isAnnounced)
        defer { server.stop() }
        try await Stage.run { stage in
            let worker = try await stage.worker(
                ["--backoff-base", "10ms"], ["ASKELEPHANT_BASE_URL": "http://127.0.0.1:\(server.port)/api"])
            try await stage.insert(stage.ids(0..<10))
            try await stage.database.wait(
                for: "SELECT count(*) FROM dead_letters WHERE cause = 'too_large'", toBe: "10", within: .seconds(120))
            #expect(server.answers >= 20, "each is tried twice")
            try Self.expectPeak("bodies of 1 GB, \(isAnnounced ? "announced" : "without end")", worker)
        }
    }

    @Test func aBodyThatUnpacksToGigabytes() async throws {
        try await Stage.run { stage in
            let ids = stage.ids(0..<10)
            // 10 MB that unpack to 1.6 GB, the most that one block of codes without tables can.
            let bomb = SimResponse(
                status: 200, headers: [("Content-Type", "application/json"), ("Content-Encoding", "gzip")],
                body: Gzip.bomb(size: 1_600_000_000))
            for id in ids { stage.world.override(id, bomb) }
            let worker = try await stage.worker(["--backoff-base", "10ms"])
            try await stage.insert(ids + stage.ids(10..<60))
            try await stage.database.wait(
                for: "SELECT count(*) FROM dead_letters WHERE cause = 'contract'", toBe: "10", within: .seconds(120))
            try await stage.database.wait(for: "SELECT count(*) FROM engagements", toBe: "50")
            try Self.expectPeak("a gzip bomb", worker)
        }
    }
}
