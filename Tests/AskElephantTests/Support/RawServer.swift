import NIOCore
import NIOPosix
import Synchronization

/// A local server that sends exactly the bytes that a test wants, also those that no HTTP library would.
final class RawServer: Sendable {
    enum Step: Sendable {
        case send([UInt8])
        /// One space every 10 ms, for ever.
        case drip
        case close
    }

    let port: Int
    /// The head of each request, as it comes in.
    let requests: AsyncStream<String>
    private let channel: any Channel
    private let accepted: Counter

    var connections: Int { accepted.value.withLock { $0 } }

    init(_ steps: [Step]) async throws {
        let (requests, continuation) = AsyncStream.makeStream(of: String.self)
        let accepted = Counter()
        channel = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelInitializer { channel in
                accepted.value.withLock { $0 += 1 }
                return channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(Script(steps, continuation))
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        port = channel.localAddress!.port!
        self.requests = requests
        self.accepted = accepted
    }

    func stop() async throws {
        try await channel.close()
    }

    private final class Counter: Sendable {
        let value = Mutex(0)
    }
}

extension RawServer.Step {
    static func send(_ text: String) -> Self { .send(Array(text.utf8)) }

    /// A whole answer with a right length, unless the headers say otherwise.
    static func answer(_ status: Int, _ headers: [String] = [], body: [UInt8] = []) -> Self {
        let length = headers.contains { $0.hasPrefix("Content-Length") } ? [] : ["Content-Length: \(body.count)"]
        let head = (["HTTP/1.1 \(status) Whatever"] + headers + length).joined(separator: "\r\n") + "\r\n\r\n"
        return .send(Array(head.utf8) + body)
    }

    static func answer(_ status: Int, _ headers: [String] = [], body: String) -> Self {
        answer(status, headers, body: Array(body.utf8))
    }
}

/// Plays its steps for each request on a connection.
private final class Script: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private let steps: [RawServer.Step]
    private let requests: AsyncStream<String>.Continuation
    private var received = ""
    private var drip: RepeatedTask?

    init(_ steps: [RawServer.Step], _ requests: AsyncStream<String>.Continuation) {
        self.steps = steps
        self.requests = requests
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        received += String(buffer: unwrapInboundIn(data))
        // A TLS client begins with byte 22 and gets its answer in plain text.
        guard received.hasSuffix("\r\n\r\n") || received.utf8.first == 22 else { return }
        requests.yield(received)
        received = ""
        for step in steps { play(step, context.channel) }
    }

    func channelInactive(context: ChannelHandlerContext) {
        drip?.cancel()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        context.close(promise: nil)
    }

    private func play(_ step: RawServer.Step, _ channel: any Channel) {
        switch step {
        case .send(let bytes):
            channel.writeAndFlush(ByteBuffer(bytes: bytes), promise: nil)
        case .drip:
            drip = channel.eventLoop.scheduleRepeatedTask(initialDelay: .zero, delay: .milliseconds(10)) { _ in
                channel.writeAndFlush(ByteBuffer(string: " "), promise: nil)
            }
        case .close:
            channel.close(promise: nil)
        }
    }
}
