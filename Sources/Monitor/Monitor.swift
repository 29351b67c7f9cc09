package import Enrichment
import HTTPTypes
import HummingbirdCore
import NIOCore
import Serving

/// Answers those who watch the process, over plain HTTP: `/livez`, `/readyz` and `/metrics`. It changes nothing and shows
/// nothing of an engagement.
package final class Monitor: Sendable {
    private let version: String
    private let readings: @Sendable () -> [Vitals.Reading]
    private let log: Log

    /// - Parameter readings: one a worker of the process.
    package init(version: String, log: Log, readings: @escaping @Sendable () -> [Vitals.Reading]) {
        self.version = version
        self.log = log
        self.readings = readings
    }

    /// Returns once connections are accepted; the port. It serves until the process ends.
    package func start(host: String, port: Int) async throws -> Int {
        let listening = Listener.Configuration(
            host: host, port: port, maxConnections: Self.maxConnections, requestTimeout: Self.requestTimeout)
        let listener = Listener(
            listening, logger: LibraryLog(log).logger("monitor"),
            respond: { request, writer in try await self.respond(request, writer) },
            tell: { self.tell($0) })
        return try await listener.start()
    }

    private func tell(_ event: Listener.Event) {
        switch event {
        case .ready(let address):
            log(.notice, .monitorReady, "health and metrics are served", [.address: .string(address)])
        case .lost:
            log(
                .warning, .monitorLost,
                "health and metrics are not served until the port is open again: it is tried each second",
                [
                    .hint:
                        "nothing if monitor.ready follows; else see this process's open files, and who has its port (ss -ltnp)"
                ])
        }
    }

    package static let maxConnections = 64
    /// A probe and a scrape are one small request each.
    private static let requestTimeout: Duration = .seconds(5)

    /// What a path is answered with.
    struct Answer: Equatable {
        var status: HTTPResponse.Status
        var text: String
        var type = "text/plain; charset=utf-8"
    }

    /// On the threads that do the work: if these are stuck nobody is answered, which says the same.
    @concurrent
    private func respond(_ request: Request, _ writer: consuming ResponseWriter) async throws {
        let answer = Self.answer(
            request.method, request.uri.path,
            isVerbose: request.uri.query?.split(separator: "&").contains("verbose") ?? false,
            readings(), version: version)
        let body = request.method == .head ? "" : answer.text
        try await writer.write(
            response: HTTPResponse(
                status: answer.status,
                headerFields: [
                    .contentType: answer.type, .contentLength: String(answer.text.utf8.count),
                    .cacheControl: "no-store",
                    // So that nobody holds a place by a body that comes drop by drop, or by asking again and again.
                    .connection: "close",
                ]),
            body: ResponseBody(byteBuffer: ByteBuffer(string: body)))
    }

    static func answer(
        _ method: HTTPRequest.Method, _ path: String, isVerbose: Bool, _ readings: [Vitals.Reading], version: String
    ) -> Answer {
        guard method == .get || method == .head else { return Answer(status: .methodNotAllowed, text: "GET or HEAD\n") }
        switch path {
        case "/livez":
            // One that waits for its database at start is alive, too.
            let dead = readings.filter { !$0.isAlive }
            return dead.isEmpty
                ? Answer(status: .ok, text: "ok\n")
                : Answer(
                    status: .serviceUnavailable,
                    text: dead.map { "\($0.name) has not moved for \(Int($0.age / .seconds(1))) s\n" }.joined())
        case "/readyz":
            let troubles = readings.map { (reading: $0, why: $0.trouble) }
            let isReady = !readings.isEmpty && troubles.allSatisfy { $0.why == nil }
            let lines = troubles.filter { isVerbose || $0.why != nil }.map { "\($0.reading.name): \($0.why ?? "ok")\n" }
            return Answer(
                status: isReady ? .ok : .serviceUnavailable,
                text: lines.isEmpty ? (isReady ? "ok\n" : "no worker yet\n") : lines.joined())
        case "/metrics":
            return Answer(
                status: .ok, text: Metrics.text(readings, version: version),
                type: "text/plain; version=0.0.4; charset=utf-8")
        default: return Answer(status: .notFound, text: "/livez, /readyz and /metrics are here\n")
        }
    }
}

extension Vitals.Reading {
    fileprivate var name: String { workspace ?? "worker" }

    /// Why it does no work now; nil: it does, or would if there were any. Who is paused by a person is ready.
    fileprivate var trouble: String? {
        if hasEnded { return "it has ended" }
        guard let beat else { return "starting: it waits for the database or the schema" }
        if !isAlive { return "it has not moved for \(Int(age / .seconds(1))) s" }
        return beat.verdict == .blocked ? beat.why ?? "blocked" : nil
    }
}
