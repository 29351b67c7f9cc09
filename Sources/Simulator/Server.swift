import HTTPTypes
import HummingbirdCore
import Logging
import NIOCore
import NIOPosix
import Synchronization

/// A local AskElephant: the world behind the HTTP API of the contract, in this process.
package final class Simulator: Sendable {
    /// Reads everything; for `demo`, and for tests that are not about scopes.
    package static let demoToken = "sk-apik_demo.secret"

    /// What the control endpoint can be told, for a command's help.
    package static let controlText = Control.verbsText

    package let world: World
    private let hasControl: Bool
    private let running = Mutex<Running?>(nil)

    private struct Running: Sendable {
        let task: Task<Void, Never>
        let listener: any Channel
        let pending: PendingConnections
        let address: String
    }

    private struct ConnectionCut: Error {}

    /// - Parameter hasControl: whether `/_simulator` moves the world; otherwise that path is as unknown as any other.
    package init(
        seed: UInt64, settings: SimulatorSettings = SimulatorSettings(), switches: Switches = Switches(),
        hasControl: Bool = false
    ) {
        self.hasControl = hasControl
        world = World(seed: seed, settings: settings, switches: switches)
        world.setToken(Self.demoToken, scopes: SimScope.all)
    }

    /// Ends in `/api`. There is one between `start` and `stop`.
    package var baseURL: String { "\(origin)/api" }

    /// Where the world is moved from, if it was made with `hasControl`; as long as `baseURL`.
    package var controlURL: String { "\(origin)\(Control.path)" }

    private var origin: String {
        guard let running = running.withLock({ $0 }) else {
            preconditionFailure("the simulator is not started")
        }
        return "http://\(running.address)"
    }

    /// Returns once connections are accepted. May be called again after `stop`, on the same port too.
    ///
    /// - Parameter port: 0 takes a free one.
    package func start(host: String = "127.0.0.1", port: Int = 0) async throws {
        precondition(running.withLock { $0 == nil }, "the simulator is started already")
        let (listeners, announce) = AsyncThrowingStream<any Channel, any Error>.makeStream()
        let pending = PendingConnections()
        let http = HTTP1Channel(responder: { [world, hasControl] request, writer, _ in
            if hasControl, let path = request.head.path, Control.owns(path) {
                try await Self.control(world, request, writer)
            } else {
                try await Self.respond(world, request, writer)
            }
        })
        let server = Server(
            childChannelSetup: CountedChannel(served: http, pending: pending),
            configuration: ServerConfiguration(address: .hostname(host, port: port), backlog: 1_024),
            onServerRunning: { announce.yield($0) },
            eventLoopGroup: .singletonMultiThreadedEventLoopGroup,
            logger: Logger(label: "simulator", factory: { _ in SwiftLogNoOpLogHandler() })
        )
        let task = Task {
            do {
                try await server.run()
                announce.finish()
            } catch {
                announce.finish(throwing: error)
            }
        }
        for try await listener in listeners {
            let address = "\(host):\(listener.localAddress?.port ?? port)"
            running.withLock {
                $0 = Running(task: task, listener: listener, pending: pending, address: address)
            }
            return
        }
        task.cancel()
        throw CancellationError()
    }

    /// Closes the port and every connection; requests that are held or delayed stay unanswered.
    package func stop() async {
        let stopped = running.withLock { running in
            defer { running = nil }
            return running
        }
        guard let stopped else { return }
        // Nothing more is accepted, or another might come just after all were served.
        try? await stopped.listener.setOption(.autoRead, value: false).get()
        await stopped.pending.settled()
        stopped.task.cancel()
        await stopped.task.value
    }

    @concurrent
    private static func respond(
        _ world: World, _ request: Request, _ writer: consuming ResponseWriter
    ) async throws {
        let response = try await world.answer(
            SimRequest(
                method: request.head.method.rawValue,
                target: request.head.path ?? "/",
                authorization: request.head.headerFields[.authorization],
                ifNoneMatch: request.head.headerFields[.ifNoneMatch]
            )
        )
        try await send(response, writer)
    }

    @concurrent
    private static func control(
        _ world: World, _ request: Request, _ writer: consuming ResponseWriter
    ) async throws {
        let body = try await request.body.collect(upTo: Control.highestBodyBytes)
        let response = Control(world: world).answer(
            request.head.method.rawValue, request.head.path ?? "", Array(body.readableBytesView))
        try await send(response, writer)
    }

    @concurrent
    private static func send(_ response: SimResponse, _ writer: consuming ResponseWriter) async throws {
        var fields = HTTPFields()
        for header in response.headers {
            guard let name = HTTPField.Name(header.name) else {
                preconditionFailure("no header name: \(header.name)")
            }
            fields.append(HTTPField(name: name, value: header.value))
        }
        if fields[.contentLength] == nil { fields[.contentLength] = String(response.body.count) }
        let head = HTTPResponse(status: .init(code: response.status), headerFields: fields)
        guard let length = response.cutAfter else {
            return try await writer.write(
                response: head, body: ResponseBody(byteBuffer: ByteBuffer(bytes: response.body)))
        }
        var body = try await writer.writeHead(head)
        try await body.write(ByteBuffer(bytes: response.body.prefix(length)))
        throw ConnectionCut()
    }
}
