import AskElephant
package import Enrichment
import Glibc
import HTTPTypes
import HummingbirdCore
import NIOCore
import NIOPosix
import Postgres
import Serving
import Synchronization

/// Takes webhooks: a request is answered with 2xx once what it says is committed, and never before.
///
/// Whatever is not signed with one of our secrets touches no database. What cannot be stored now is answered with 503, so
/// that the sender delivers it again.
package final class Receiver: Sendable {
    package struct Configuration: Sendable {
        package var host: String
        /// 0 takes a free one.
        package var port: Int
        package var database: Database.Configuration
        package var maxConnections = Receiver.maxConnections
        /// From the head of a request to its answer; also how long a connection may be silent.
        package var requestTimeout: Duration = .seconds(10)
        /// How long it is remembered which events were taken.
        package var retention: Duration = .seconds(30 * 86_400)
        package var heartbeatInterval: Duration = .seconds(60)

        package init(host: String, port: Int, database: Database.Configuration) {
            self.host = host
            self.port = port
            self.database = database
        }
    }

    package static let path = "/webhooks"
    package static let maxConnections = 256
    static let role = "receive"
    private static let maxBodyBytes = 1 << 20

    private let configuration: Configuration
    private let secrets: WebhookSecrets
    private let session: Session
    private let store: EventStore
    private let intake: Intake
    private let tally: Tally
    private let health: DatabaseHealth
    private let log: Log
    private let state = Mutex(State())

    private struct State {
        var listener: Listener?
        var inHand = 0
        var isStopping = false
    }

    /// Ends a connection whose request was not read to its end.
    private struct Cut: Error {}

    package init(_ configuration: Configuration, secrets: WebhookSecrets, log: Log) {
        self.configuration = configuration
        self.secrets = secrets
        self.log = log
        let health = DatabaseHealth(log: log)
        var connection = configuration.database.connection(role: Self.role)
        // Works with a pooler and without one.
        connection.isPooled = true
        session = Session(connection) { health.note($0, role: Self.role) }
        store = EventStore(session: session)
        intake = Intake(store: store, health: health)
        tally = Tally(log: log)
        self.health = health
    }

    /// Returns once connections are accepted; the port.
    package func start() async throws -> Int {
        var listening = Listener.Configuration(
            host: configuration.host, port: configuration.port, maxConnections: configuration.maxConnections,
            requestTimeout: configuration.requestTimeout)
        listening.backlog = 1_024
        let tally = tally
        let listener = Listener(
            listening, logger: LibraryLog(log).logger("receiver"),
            respond: { request, writer in try await self.respond(request, writer) },
            refused: { refusal in
                switch refusal {
                case .garbage: tally.refused(.garbage)
                case .incomplete: tally.refused(.incomplete)
                }
            },
            tell: { self.tell($0) })
        state.withLock { $0.listener = listener }
        return try await listener.start()
    }

    private func tell(_ event: Listener.Event) {
        switch event {
        case .ready(let address):
            log(.notice, .receiverReady, "webhooks are taken", [.address: .string(address)])
        case .lost:
            log(
                .error, .receiverLost, "no webhook is taken until the port is open again: it is tried each second",
                [
                    .hint:
                        "nothing if receiver.ready follows; else see this process's open files, and who has its port (ss -ltnp)"
                ])
        }
    }

    /// Reads the secrets again each second, tells how it goes each minute, and forgets old events. Until it is cancelled.
    package func keepUp() async {
        var beat = ContinuousClock.now
        var isUsable = true
        while (try? await Task.sleep(for: .seconds(1))) != nil {
            let before = isUsable
            isUsable = secrets.reload()
            if before != isUsable { tell(isUsable) }
            guard .now - beat >= configuration.heartbeatInterval else { continue }
            beat = .now
            let counts = tally.counts
            log(
                .info, .receiverHeartbeat, "heartbeat",
                [
                    .stored: .integer(counts.stored), .repeated: .integer(counts.repeated),
                    .ignored: .integer(counts.ignored), .refused: .integer(counts.refused),
                    .unavailable: .integer(counts.unavailable), .db: .string(health.isLost ? "lost" : "ok"),
                ])
            if !health.isLost { try? await store.prune(olderThan: configuration.retention) }
        }
    }

    private func tell(_ areSecretsUsable: Bool) {
        guard !areSecretsUsable else {
            return log(.notice, .webhookSecrets, "the file of secrets can be used again")
        }
        log(
            .error, .webhookSecrets, "the file of secrets cannot be used: those that were in it before hold",
            [.hint: "each of its lines is whsec_ and base64"])
    }

    /// Reads the secrets again, as on SIGHUP.
    package func reload() { _ = secrets.reload() }

    /// Takes no more connections, and lets what is in hand end within that time. The process is expected to end then.
    package func stop(within limit: Duration) async {
        let listener = state.withLock { state in
            state.isStopping = true
            return state.listener
        }
        await listener?.stop()
        let end = ContinuousClock.now + limit
        while state.withLock(\.inHand) > 0, ContinuousClock.now < end { try? await Task.sleep(for: .milliseconds(5)) }
        // What was written last is still on its way from the event loops to the sockets.
        for loop in MultiThreadedEventLoopGroup.singleton.makeIterator() {
            for _ in 0..<2 { try? await loop.submit {}.get() }
        }
        await session.close()
    }

    // MARK: One request

    private struct Answer {
        var status: HTTPResponse.Status
        var refusal: Tally.Refusal?
        /// What follows on this connection is not read.
        var isLast = false

        static let unavailable = Answer(status: .serviceUnavailable)

        init(status: HTTPResponse.Status) { self.status = status }

        init(_ status: HTTPResponse.Status, _ refusal: Tally.Refusal, isLast: Bool = false) {
            self.status = status
            self.refusal = refusal
            self.isLast = isLast
        }
    }

    @concurrent
    private func respond(_ request: Request, _ writer: consuming ResponseWriter) async throws {
        let isStopping = state.withLock { state in
            state.inHand += 1
            return state.isStopping
        }
        defer { state.withLock { $0.inHand -= 1 } }
        let answer = isStopping ? .unavailable : try await answer(request)
        if let refusal = answer.refusal { tally.refused(refusal) }
        var fields: HTTPFields = [.contentLength: "0"]
        let isLast = answer.isLast || isStopping
        if isLast { fields[.connection] = "close" }
        if answer.status == .methodNotAllowed { fields[.allow] = "POST" }
        try await writer.write(
            response: HTTPResponse(status: answer.status, headerFields: fields), body: ResponseBody())
        if isLast { throw Cut() }
    }

    private func answer(_ request: Request) async throws -> Answer {
        guard request.uri.path == Self.path else { return Answer(.notFound, .wrongPath, isLast: true) }
        guard request.method == .post else { return Answer(.methodNotAllowed, .wrongMethod, isLast: true) }
        if let length = request.headers[.contentLength].flatMap({ Int($0) }), length > Self.maxBodyBytes {
            return Answer(.contentTooLarge, .tooLarge, isLast: true)
        }
        var body: [UInt8] = []
        for try await part in request.body {
            guard body.count + part.readableBytes <= Self.maxBodyBytes else {
                return Answer(.contentTooLarge, .tooLarge, isLast: true)
            }
            body.append(contentsOf: part.readableBytesView)
        }
        let signature = WebhookVerifier.Signature { HTTPField.Name($0).flatMap { request.headers[$0] } }
        switch secrets.verifier?.judge(signature, of: body, now: Int64(time(nil))) ?? .forged {
        case .valid: break
        case .unsigned: return Answer(.badRequest, .unsigned)
        case .tooOld: return Answer(.badRequest, .tooOld)
        case .tooNew: return Answer(.badRequest, .tooNew)
        case .forged: return Answer(.unauthorized, .forged)
        }
        guard let event = WebhookEvent(messageID: signature!.id, body: body) else {
            return Answer(.badRequest, .malformed)
        }
        return await take(event)
    }

    private func take(_ event: WebhookEvent) async -> Answer {
        let outcome = await intake.take(event)
        log(
            .debug, .webhook, "webhook",
            [.requestID: .string(event.messageID), .type: .string(event.type), .outcome: .string("\(outcome)")])
        switch outcome {
        case .stored: tally.note { $0.stored += 1 }
        case .repeated: tally.note { $0.repeated += 1 }
        case .unavailable:
            tally.note { $0.unavailable += 1 }
            return .unavailable
        }
        if event.effect == .ignored { tally.note { $0.ignored += 1 } }
        return Answer(status: .noContent)
    }
}
