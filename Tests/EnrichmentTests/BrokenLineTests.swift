import AskElephant
import Enrichment
import Glibc
import Simulator
import TestKit
import Testing

/// `faults.md` 44: connections to the API that cannot be had, or end before the answer does.
@Suite(.serialized) struct BrokenLineTests {
    /// It is connected to and takes nobody: the kernel drops what would open another connection.
    @Test func aConnectionThatIsNotAcceptedIsGivenUpWithinTenSeconds() async throws {
        let (listener, port) = try Loopback.listen(backlog: 0)
        let only = try #require(Loopback.connect(port))
        defer {
            close(only)
            close(listener)
        }
        try await ScopeLab.run { lab in
            try await lab.database.knowCredential()
            let baseURL = try BaseURL("http://127.0.0.1:\(port)/api")
            let worker = try await lab.worker { $0.client.baseURL = baseURL }
            try await lab.insert([lab.world.id(0)])
            // Two of ten seconds: the request, then the page that shows whether others are served.
            try await eventually(within: .seconds(22), "api.lost") { worker.log.records(of: .apiLost).count == 1 }
            let request = try #require(worker.log.records(of: .request).first)
            guard case .integer(let took)? = request.fields[.durationMilliseconds] else { throw CancellationError() }
            #expect((9_000...11_000).contains(took))
            #expect(try await lab.database.count("SELECT count(*) FROM enrichment_queue WHERE attempts > 0") == 0)
            try await worker.stop()
        }
    }

    /// In the middle of the body, while others are served.
    @Test func aResetInTheBodyIsTriedAgain() async throws {
        try await ScopeLab.run { lab in
            try await lab.database.knowCredential()
            let (proxy, id) = (try FaultProxy(to: lab.simulator.port), lab.world.id(0))
            defer { proxy.stop() }
            let baseURL = try BaseURL("http://127.0.0.1:\(proxy.port)/api")
            let worker = try await lab.worker {
                $0.client.baseURL = baseURL
                $0.backoff = Backoff(base: .milliseconds(10), cap: .milliseconds(10))
            }
            proxy.set(.drip(bytes: 600, every: .milliseconds(500)))
            try await lab.insert([id])
            try await eventually("the answer has begun") { proxy.injected(.drip) > 0 }
            try await lab.world.waitForRequest(id)
            proxy.reset()
            proxy.set(.none)
            try await lab.database.wait(for: "SELECT count(*) FROM engagements", toBe: "1")
            #expect(proxy.injected(.reset) > 0)
            #expect(worker.log.records(of: .request).first?.fields[.httpStatus] == .null)
            #expect(lab.world.requestCount(for: id) == 2)
            try await worker.stop()
        }
    }
}
