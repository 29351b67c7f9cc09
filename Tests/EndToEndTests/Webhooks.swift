import Foundation
import Simulator
import TestKit

/// Webhooks for a process that receives them.
enum Webhooks {
    static let sender = WebhookSender(secrets: [ReceiverLab.secret])

    static func secretFile() throws -> String {
        let path = TestCluster.folder + "/secret-\(UUID().uuidString)"
        try (ReceiverLab.secret + "\n").write(toFile: path, atomically: true, encoding: .utf8)
        return path
    }

    static func port(of process: WorkerProcess) async throws -> UInt16 {
        try await process.waitFor("receiver.ready")
        let address = process.records(of: "receiver.ready").first?["address"] as? String
        return UInt16(address?.split(separator: ":").last ?? "") ?? 0
    }

    static func send(_ number: Int, _ id: String, type: String = "v1.engagement.updated", to port: UInt16)
        async throws -> Int?
    {
        let message = sender.message(
            number, event: number, type: type, object: #""id":"\#(id)""#, time: ReceiverLab.now)
        guard let connection = try? RawConnection(port) else { return nil }
        await connection.write(ReceiverLab.request(message))
        return await connection.answer()?.status
    }
}
