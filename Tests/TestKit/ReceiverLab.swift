import AskElephant
package import Enrichment
package import Receiver
package import Simulator
import Synchronization

/// A receiver in the test's own process, somebody who sends webhooks to it, and its log in memory.
package final class ReceiverLab: Sendable {
    package static let secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    package static let sender = WebhookSender(secrets: [secret])

    package let port: UInt16
    package let log = RecordedLog()
    private let receiver: Receiver
    private let upkeep: Task<Void, Never>
    private let numbers = Counter()

    /// Starts the receiver; ready when this returns.
    package init(
        _ database: Database.Configuration, secrets: SecretLines = SecretLines([secret]),
        change: (inout Receiver.Configuration) -> Void = { _ in }
    ) async throws {
        var configuration = Receiver.Configuration(host: "127.0.0.1", port: 0, database: database)
        change(&configuration)
        let receiver = Receiver(
            configuration, secrets: WebhookSecrets { secrets.lines.map { Secret($0) } }, log: log.log)
        port = UInt16(try await receiver.start())
        self.receiver = receiver
        upkeep = Task { await receiver.keepUp() }
    }

    package func stop() async {
        await receiver.stop(within: .seconds(10))
        upkeep.cancel()
        await upkeep.value
    }

    /// An event of that type with a message and an event id of its own.
    package func event(
        _ type: String, _ object: String, message: Int? = nil, event: Int? = nil, sender: WebhookSender = sender
    ) -> WebhookSender.Message {
        let number = numbers.next()
        return sender.message(
            message ?? number, event: event ?? number, type: type, object: #""id":"\#(object)""#, time: Self.now)
    }

    /// In seconds since 1970.
    package static var now: Int64 { Log.systemTime() / 1_000 }

    /// Sends it on a connection of its own; the answer's status, nil if there was none.
    package func send(_ message: WebhookSender.Message) async throws -> Int? {
        let connection = try RawConnection(port)
        await connection.write(Self.request(message))
        return await connection.answer()?.status
    }

    package static func request(
        _ message: WebhookSender.Message, target: String = Receiver.path, method: String = "POST"
    ) -> [UInt8] {
        let headers = message.headers.map { "\($0.name): \($0.value)\r\n" }.joined()
        let head =
            "\(method) \(target) HTTP/1.1\r\nHost: localhost\r\n\(headers)Content-Length: \(message.body.count)\r\n\r\n"
        return Array(head.utf8) + message.body
    }
}

/// What a file of secrets holds, in memory.
package final class SecretLines: Sendable {
    private let content: Mutex<[String]>
    package init(_ lines: [String]) { content = Mutex(lines) }

    package var lines: [String] {
        get { content.withLock(\.self) }
        set { content.withLock { $0 = newValue } }
    }
}
