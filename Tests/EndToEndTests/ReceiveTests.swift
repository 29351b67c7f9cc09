import Foundation
import Glibc
import Postgres
import Receiver
import Simulator
import TestKit
import Testing

/// `receive` and `run --receive` as processes.
@Suite(.serialized) struct ReceiveTests {
    /// From the bell to the row, and from the deletion to what downstream sees, in one process.
    @Test func fromWebhookToRowAndToTombstone() async throws {
        try await Stage.run { stage in
            let worker = try stage.start(
                [
                    "run", "--receive", "--receive-address", "127.0.0.1:0", "--webhook-secret-file",
                    try Webhooks.secretFile(),
                ])
            let port = try await Webhooks.port(of: worker)
            let id = stage.world.id(1)
            #expect(try await Webhooks.send(1, id, to: port) == 204)
            try await stage.database.wait(for: "SELECT count(*) FROM engagements_live WHERE id = '\(id)'", toBe: "1")
            stage.world.setGone(id)
            #expect(try await Webhooks.send(2, id, type: "v1.engagement.deleted", to: port) == 204)
            try await stage.database.wait(for: "SELECT count(*) FROM engagements_live WHERE id = '\(id)'", toBe: "0")
            #expect(
                try await stage.database.value(
                    "SELECT is_gone::text FROM engagement_changes WHERE engagement_id = '\(id)'") == "true")
            #expect(try await stage.database.value("SELECT (_deleted_at IS NOT NULL)::text FROM engagements") == "true")
            worker.signal(SIGTERM)
            #expect(try await worker.exitStatus() == 0)
            #expect(worker.records(of: "job.done").compactMap { $0["outcome"] as? String } == ["enriched", "deleted"])
        }
    }

    /// A deletion that the API does not confirm is none.
    @Test func aDeletionThatTheAPIDoesNotConfirmIsNone() async throws {
        try await Stage.run { stage in
            let worker = try stage.start(
                [
                    "run", "--receive", "--receive-address", "127.0.0.1:0", "--webhook-secret-file",
                    try Webhooks.secretFile(),
                ])
            let port = try await Webhooks.port(of: worker)
            let id = stage.world.id(1)
            #expect(try await Webhooks.send(1, id, type: "v1.engagement.deleted", to: port) == 204)
            try await stage.database.wait(for: "SELECT count(*) FROM engagements_live WHERE id = '\(id)'", toBe: "1")
        }
    }

    /// While Postgres is stopped only 503, afterwards 2xx; whatever was answered with 2xx is there, and nothing twice.
    @Test func whatPostgresDoesNotStoreIsDeliveredAgain() async throws {
        try await PrivateCluster.run { cluster in
            try await Stage.run { stage in
                let receiver = try stage.start(
                    [
                        "receive", "--receive-address", "127.0.0.1:0", "--webhook-secret-file",
                        try Webhooks.secretFile(),
                    ],
                    ["DATABASE_URL": cluster.conninfo])
                let port = try await Webhooks.port(of: receiver)
                var taken: Set<Int> = []
                for number in 1...20 {
                    #expect(try await Webhooks.send(number, stage.world.id(number), to: port) == 204)
                    taken.insert(number)
                }
                try await cluster.stop(.fast)
                for number in 21...40 {
                    #expect(try await Webhooks.send(number, stage.world.id(number), to: port) == 503)
                }
                try await cluster.start()
                for number in 21...40 {
                    try await eventually("\(number) is taken") {
                        try await Webhooks.send(number, stage.world.id(number), to: port) == 204
                    }
                }
                // During a crash some answers are lost, or come before the end: those are delivered again, too.
                async let crash: Void = cluster.crash()
                for number in 41...200 {
                    try await eventually("\(number) is taken") {
                        try await Webhooks.send(number, stage.world.id(number), to: port) == 204
                    }
                }
                try await crash
                #expect(try await cluster.count("SELECT count(*) FROM webhook_events") == 200)
                #expect(try await cluster.count("SELECT count(*) FROM enrichment_queue") == 200)
                #expect(try await cluster.count("SELECT count(DISTINCT engagement_id) FROM enrichment_queue") == 200)
                #expect(receiver.records(of: "db.lost").count >= 1)
                receiver.signal(SIGTERM)
                #expect(try await receiver.exitStatus() == 0)
                #expect(receiver.records(of: "receiver.stop").count == 1)
            }
        }
    }

    /// What is in hand is answered, nothing new is taken.
    @Test func termAnswersWhatIsInHand() async throws {
        try await Stage.run { stage in
            let receiver = try stage.start(
                ["receive", "--receive-address", "127.0.0.1:0", "--webhook-secret-file", try Webhooks.secretFile()])
            let port = try await Webhooks.port(of: receiver)
            let lock = try await stage.database.connect()
            _ = try await lock.run(script: "BEGIN; LOCK TABLE webhook_events IN ACCESS EXCLUSIVE MODE", name: "lock")
            async let answer = Webhooks.send(1, stage.world.id(1), to: port)
            try await stage.database.wait(
                for:
                    "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'engagement-worker receive' AND wait_event_type = 'Lock'",
                toBe: "1")
            receiver.signal(SIGTERM)
            _ = try await lock.run(script: "COMMIT", name: "unlock")
            #expect(try await answer == 204)
            #expect(try await receiver.exitStatus() == 0)
            await lock.close()
            #expect(try await stage.database.count("SELECT count(*) FROM webhook_events") == 1)
        }
    }

    @Test func theSecretIsNamedByAFileAndUsable() async throws {
        try await Stage.run { stage in
            for (flags, text) in [
                ([], "ENGAGEMENT_WORKER_WEBHOOK_SECRET_FILE"),
                (["--webhook-secret-file", "/nonexistent"], "/nonexistent"),
            ] {
                let ended = try await stage.command(["receive"] + flags)
                #expect(ended.status == 78 && ended.errors.contains(text), "\(ended.errors)")
            }
            let folder = TestCluster.folder + "/credentials-\(UUID().uuidString)"
            try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
            try ReceiverLab.secret.write(toFile: folder + "/webhook-secret", atomically: true, encoding: .utf8)
            let receiver = try stage.start(
                ["receive", "--receive-address", "127.0.0.1:0"], ["CREDENTIALS_DIRECTORY": folder])
            #expect(try await Webhooks.send(1, stage.world.id(1), to: try await Webhooks.port(of: receiver)) == 204)
            let second = try await stage.command(
                ["receive", "--receive-address", "127.0.0.1:\(try await Webhooks.port(of: receiver))"],
                ["CREDENTIALS_DIRECTORY": folder])
            #expect(second.status == 78 && second.errors.contains("cannot be listened on"), "\(second.errors)")
        }
    }
}
