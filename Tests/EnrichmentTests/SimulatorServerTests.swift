import AsyncHTTPClient
import FoundationEssentials
import NIOCore
import NIOHTTP1
import Testing

@testable import Simulator

@Suite(.timeLimit(.minutes(5))) struct SimulatorServer {
    @Test func servesOverHTTPAndStartsAgainOnItsPort() async throws {
        let simulator = Simulator(seed: 7)
        try await simulator.start()
        let base = simulator.baseURL
        let id = simulator.world.id(1)
        #expect(base.hasSuffix("/api"))
        let (status, body) = try await get("\(base)/v2/engagements/\(id)?expand=contacts%2Ctags")
        #expect(status == 200)
        let document = try JSONDecoder().decode(JSON.self, from: Data(body))
        #expect(document["id"]?.text == id && document["contacts"]?.items != nil)
        #expect(try await get("\(base)/v1/anything").0 == 404)

        await simulator.stop()
        let port = try #require(base.split(separator: ":").last?.split(separator: "/").first.flatMap { Int($0) })
        try await simulator.start(port: port)
        #expect(simulator.baseURL == base)
        #expect(try await get("\(base)/v2/engagements/\(id)").0 == 200)
        await simulator.stop()
    }

    @Test func stopEndsHeldRequestsAndACutAnswerFails() async throws {
        let simulator = Simulator(seed: 7)
        try await simulator.start()
        let base = simulator.baseURL
        let (held, cut) = (simulator.world.id(1), simulator.world.id(2))
        var response = SimResponse.json(#"{"object":"engagement"}"#)
        response.cutAfter = 5
        simulator.world.override(cut, response)
        await #expect(throws: (any Error).self) { try await get("\(base)/v2/engagements/\(cut)") }
        simulator.world.hold(held)
        let waiting = Task { try await get("\(base)/v2/engagements/\(held)") }
        try await simulator.world.waitForRequest(held)
        await simulator.stop()
        await #expect(throws: (any Error).self) { try await waiting.value }
    }

    @Test func aTakenPortIsAnError() async throws {
        let first = Simulator(seed: 7)
        try await first.start()
        let port = try #require(
            first.baseURL.split(separator: ":").last?.split(separator: "/").first.flatMap { Int($0) })
        await #expect(throws: (any Error).self) { try await Simulator(seed: 7).start(port: port) }
        await first.stop()
    }

    private func get(_ address: String) async throws -> (Int, [UInt8]) {
        var request = HTTPClientRequest(url: address)
        request.headers.add(name: "Authorization", value: simulatorKey)
        // A kept connection would be used again after a restart, before the client knows that it is closed.
        request.headers.add(name: "Connection", value: "close")
        let response = try await HTTPClient.shared.execute(request, timeout: .seconds(20))
        let body = try await response.body.collect(upTo: 1 << 20)
        return (Int(response.status.code), Array(body.readableBytesView))
    }
}
