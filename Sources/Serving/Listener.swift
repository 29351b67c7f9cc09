package import HummingbirdCore
package import Logging
import NIOCore
import NIOPosix
import Synchronization

/// A port on which HTTP is served until the process ends. Connections, the head of a request and its time are bounded, and a port on
/// which accepting has come to an end is opened anew.
package final class Listener: Sendable {
    package struct Configuration: Sendable {
        package var host: String
        /// 0 takes a free one.
        package var port: Int
        package var maxConnections: Int
        /// From the head of a request to its answer; also how long a connection may be silent.
        package var requestTimeout: Duration
        /// Connections that wait to be taken.
        package var backlog = 256

        package init(host: String, port: Int, maxConnections: Int, requestTimeout: Duration) {
            self.host = host
            self.port = port
            self.maxConnections = maxConnections
            self.requestTimeout = requestTimeout
        }
    }

    /// Why a connection brought no whole request.
    package enum Refusal: Sendable {
        /// No HTTP/1.1, or a head that is too large.
        case garbage
        /// The head or the body did not come in time, or never ended.
        case incomplete
    }

    package enum Event: Sendable {
        /// Connections are accepted, at `HOST:PORT`.
        case ready(String)
        /// They are not any more; it is tried each second.
        case lost
    }

    package typealias Respond = @Sendable @concurrent (Request, consuming ResponseWriter) async throws -> Void

    private static let maxHeadBytes = 16 << 10

    private let configuration: Configuration
    private let logger: Logger
    private let respond: Respond
    private let refused: @Sendable (Refusal) -> Void
    private let tell: @Sendable (Event) -> Void
    private let state = Mutex(State())

    private struct State {
        var channel: (any Channel)?
        var isStopping = false
    }

    /// - Parameters:
    ///   - logger: takes what the server's library says.
    ///   - respond: answers one request. A connection ends with an answer that says `Connection: close`.
    ///   - refused: is told of connections that brought no whole request.
    ///   - tell: is told when connections are accepted, and when they are not any more.
    package init(
        _ configuration: Configuration, logger: Logger, respond: @escaping Respond,
        refused: @escaping @Sendable (Refusal) -> Void = { _ in }, tell: @escaping @Sendable (Event) -> Void
    ) {
        self.configuration = configuration
        self.logger = logger
        self.respond = respond
        self.refused = refused
        self.tell = tell
    }

    /// Returns once connections are accepted; the port.
    package func start() async throws -> Int {
        let (port, serving) = try await serve(port: configuration.port)
        Task { await keepServing(serving, port: port) }
        return port
    }

    /// Takes no more connections; those that are open stay.
    package func stop() async {
        let channel = state.withLock { state in
            state.isStopping = true
            return state.channel
        }
        try? await channel?.setOption(.autoRead, value: false).get()
    }

    /// Accepting may come to an end, by an error of the system's: then the port is opened anew.
    private func keepServing(_ first: Task<Void, Never>, port: Int) async {
        var serving: Task<Void, Never>? = first
        while true {
            await serving?.value
            if state.withLock(\.isStopping) { return }
            if serving != nil { tell(.lost) }
            try? await Task.sleep(for: .seconds(1))
            serving = try? await serve(port: port).serving
        }
    }

    /// Returns once connections are accepted: the port, and what ends when they are not any more.
    private func serve(port: Int) async throws -> (port: Int, serving: Task<Void, Never>) {
        let (channels, announce) = AsyncThrowingStream<any Channel, any Error>.makeStream()
        let (limit, refused, respond) = (TimeAmount(configuration.requestTimeout), refused, respond)
        let http = HTTP1Channel(
            responder: { request, writer, _ in try await respond(request, writer) },
            configuration: .init(
                additionalChannelHandlers: [ConnectionGuard(limit: limit, refused: refused)], idleTimeout: limit,
                httpDecoderConfiguration: .init(
                    maxHeaderFieldSize: Self.maxHeadBytes, maxHeaderListSize: Self.maxHeadBytes,
                    maxHeaderFieldCount: 100)))
        let server = Server(
            childChannelSetup: http,
            configuration: ServerConfiguration(
                address: .hostname(configuration.host, port: port), backlog: configuration.backlog,
                availableConnectionsDelegate: MaximumAvailableConnections(
                    configuration.maxConnections, logger: logger)),
            onServerRunning: { announce.yield($0) },
            eventLoopGroup: .singletonMultiThreadedEventLoopGroup,
            logger: logger)
        let serving = Task {
            do {
                try await server.run()
                announce.finish()
            } catch {
                announce.finish(throwing: error)
            }
        }
        for try await channel in channels {
            state.withLock { $0.channel = channel }
            let port = channel.localAddress?.port ?? port
            tell(.ready(address(port)))
            return (port, serving)
        }
        throw CancellationError()
    }

    /// An IPv6 address stands in brackets.
    private func address(_ port: Int) -> String {
        let host = configuration.host
        return host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)"
    }
}
