import Foundation
import Glibc
import Receiver
import Simulator
import TestKit
import Testing

/// As many webhooks as are taken, while engagements are enriched as fast as the API allows.
@Suite(.serialized) struct WebhookLoadTests {
    private static let count = size("TEST_WEBHOOKS", or: 2_000)
    private static let limit = 300

    @Test func everyAnswerIsACommittedRow() async throws {
        let seed = TruthSeed.draw("webhooks")
        var random = SeededRandom(seed: seed)
        try await PrivateCluster.run(options: []) { cluster in
            try await Stage.run(seed: seed) { stage in
                let secrets = TestCluster.folder + "/secret-\(UUID().uuidString)"
                try ReceiverLab.secret.write(toFile: secrets, atomically: true, encoding: .utf8)
                let database = ["DATABASE_URL": cluster.conninfo, "ENGAGEMENT_WORKER_LOG_LEVEL": "info"]
                stage.world.setRateLimit(perSecond: Self.limit, .bucket)
                try await cluster.run("INSERT INTO credentials (name, state) VALUES ('default', 'ok')")
                let receiver = try stage.start(
                    ["receive", "--receive-address", "127.0.0.1:0", "--webhook-secret-file", secrets], database)
                try await receiver.waitFor("receiver.ready")
                let address = receiver.records(of: "receiver.ready").first?["address"] as? String
                let port = UInt16(address!.split(separator: ":").last!)!
                // A tenth of them twice, in any order.
                var requests = Self.requests(stage)
                requests += requests.prefix(Self.count / 10)
                requests.shuffle(using: &random)

                try await cluster.run(
                    "INSERT INTO enrichment_queue (engagement_id) SELECT 'ngmt_' || n FROM generate_series(1, 20000) AS n"
                )
                let worker = try stage.start(["run", "--max-requests-per-second", "\(Self.limit)"], database)
                try await worker.waitFor("worker.ready")
                try await eventually("it is under way") { try await Self.enriched(cluster) > 300 }
                let alone = try await Self.rate(cluster) {
                    let end = ContinuousClock.now + .seconds(5)
                    try await eventually("the time is over") { ContinuousClock.now > end }
                }
                var sent: (statuses: [Int: Int], seconds: Double) = ([:], 0)
                let beside = try await Self.rate(cluster) { sent = await Self.send(requests, to: port) }
                printFigure(
                    """
                    webhooks: \(requests.count), \(Int(Double(requests.count) / sent.seconds))/s answered with 2xx; \
                    enriched \(Int(alone))/s alone, \(Int(beside))/s beside: \((beside / alone * 100).rounded() / 100)
                    """)
                #expect(sent.statuses == [204: requests.count])
                if Self.count >= 20_000 { #expect(beside >= 0.9 * alone) }
                #expect(try await cluster.count("SELECT count(*) FROM webhook_events") == Self.count)
                #expect(
                    try await cluster.count(
                        "SELECT count(DISTINCT message_id) FROM webhook_events WHERE outcome = 'queued'")
                        == Self.count)
                // Each became one job: it waits, or was done.
                #expect(
                    try await cluster.count(
                        """
                        SELECT count(*) FROM webhook_events AS e WHERE NOT EXISTS (
                            SELECT FROM enrichment_queue AS q WHERE q.engagement_id = e.object_id AND q.reason = 'webhook')
                        AND NOT EXISTS (SELECT FROM engagements AS g WHERE g.id = e.object_id)
                        """) == 0)
            }
        }
    }

    private static func requests(_ stage: Stage) -> [[UInt8]] {
        let sender = WebhookSender(secrets: [ReceiverLab.secret])
        let now = ReceiverLab.now
        return (0..<count).map { number in
            ReceiverLab.request(
                sender.message(
                    number, event: number, type: "v1.engagement.updated",
                    object:
                        #""id":"\#(stage.world.id(100_000 + number))","title":"\#(String(repeating: "x", count: 500))""#,
                    time: now))
        }
    }

    /// On 32 connections; how often each status was the answer (0: none), and how long it took.
    private static func send(_ requests: [[UInt8]], to port: UInt16) async -> (statuses: [Int: Int], seconds: Double) {
        let numbers = Counter()
        let start = ContinuousClock.now
        @Sendable func exchange() -> [Int] {
            var statuses: [Int] = []
            let connection = try? RawConnection(port)
            while case let number = numbers.next(), number <= requests.count {
                connection?.send(requests[number - 1])
                statuses.append(connection?.read()?.status ?? 0)
            }
            return statuses
        }
        let statuses = await withTaskGroup(of: [Int].self, returning: [Int: Int].self) { group in
            for _ in 0..<32 {
                group.addTask {
                    await withCheckedContinuation { continuation in
                        startThread { continuation.resume(returning: exchange()) }
                    }
                }
            }
            var counts: [Int: Int] = [:]
            for await statuses in group {
                for status in statuses { counts[status, default: 0] += 1 }
            }
            return counts
        }
        return (statuses, (ContinuousClock.now - start) / .seconds(1))
    }

    private static func enriched(_ cluster: PrivateCluster) async throws -> Int {
        try await cluster.count("SELECT count(*) FROM engagements")
    }

    /// Engagements a second while the work is done.
    private static func rate(_ cluster: PrivateCluster, _ work: () async throws -> Void) async throws -> Double {
        let (before, start) = (try await enriched(cluster), ContinuousClock.now)
        try await work()
        return Double(try await enriched(cluster) - before) / ((ContinuousClock.now - start) / .seconds(1))
    }
}
