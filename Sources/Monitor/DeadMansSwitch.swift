import AsyncHTTPClient
package import Enrichment
import NIOCore
import NIOHTTP1
import NIOPosix

/// Asks for a URL once a minute while all workers of the process are healthy, and at no other time: whoever waits for it
/// (healthchecks.io and the like) raises the alarm when it stays away.
package struct DeadMansSwitch: Sendable {
    private let url: String
    private let interval: Duration
    private let readings: @Sendable () -> [Vitals.Reading]
    private let log: Log

    package init(
        url: String, interval: Duration = .seconds(60), log: Log, readings: @escaping @Sendable () -> [Vitals.Reading]
    ) {
        self.url = url
        self.interval = interval
        self.log = log
        self.readings = readings
    }

    /// Until the task is cancelled.
    package func run() async {
        let client = HTTPClient(
            eventLoopGroup: .singletonMultiThreadedEventLoopGroup,
            configuration: .init(redirectConfiguration: .disallow))
        var hasFailed = false
        // Before the first heartbeat there is nothing to say.
        while !Task.isCancelled, readings().allSatisfy({ $0.beat == nil }) {
            try? await Task.sleep(for: min(interval, .seconds(1)))
        }
        while !Task.isCancelled {
            if Self.isWell(readings()) {
                let failure = await Self.ask(url, client)
                // What was given up with the worker says nothing of the URL.
                if Task.isCancelled { break }
                // The URL is a secret and stands in no line.
                if let failure, !hasFailed {
                    log(
                        .warning, .heartbeatFailed,
                        "the heartbeat URL does not answer: whoever waits for it will raise the alarm",
                        [.error: .string(failure), .hint: "see ENGAGEMENT_WORKER_HEARTBEAT_URL and the way there"])
                } else if failure == nil, hasFailed {
                    log(.notice, .heartbeatRestored, "the heartbeat URL answers again")
                }
                hasFailed = failure != nil
            }
            try? await Task.sleep(for: interval)
        }
        try? await client.shutdown()
    }

    static func isWell(_ readings: [Vitals.Reading]) -> Bool {
        !readings.isEmpty && readings.allSatisfy { $0.isAlive && !$0.hasEnded && $0.beat?.verdict == .healthy }
    }

    /// Nil if it was answered with 2xx.
    private static func ask(_ url: String, _ client: HTTPClient) async -> String? {
        do {
            let answer = try await client.execute(HTTPClientRequest(url: url), timeout: .seconds(10))
            return (200..<300).contains(answer.status.code) ? nil : "HTTP \(answer.status.code)"
        } catch {
            return "\(type(of: error))"
        }
    }
}
