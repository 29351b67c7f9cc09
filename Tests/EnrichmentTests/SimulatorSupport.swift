import AsyncHTTPClient
import FoundationEssentials
import NIOCore
import NIOHTTP1

@testable import Simulator

let simulatorParts = "companies,contacts,owner,action_items,signals,transcript,media_url,tags"
let simulatorKey = Simulator.demoToken

/// Any JSON at all.
enum JSON: Decodable, Equatable {
    case null
    case boolean(Bool)
    case number(Double)
    case string(String)
    case array([JSON])
    case object([String: JSON])

    init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        if container.decodeNil() {
            self = .null
        } else if let value = try? container.decode(Bool.self) {
            self = .boolean(value)
        } else if let value = try? container.decode(Double.self) {
            self = .number(value)
        } else if let value = try? container.decode(String.self) {
            self = .string(value)
        } else if let value = try? container.decode([JSON].self) {
            self = .array(value)
        } else {
            self = .object(try container.decode([String: JSON].self))
        }
    }

    subscript(name: String) -> JSON? { if case .object(let members) = self { members[name] } else { nil } }
    var text: String? { if case .string(let value) = self { value } else { nil } }
    var items: [JSON]? { if case .array(let values) = self { values } else { nil } }
    var names: Set<String> { if case .object(let members) = self { Set(members.keys) } else { [] } }
}

extension SimResponse {
    var json: JSON {
        get throws { try JSONDecoder().decode(JSON.self, from: Data(body)) }
    }
}

extension World {
    func get(
        _ id: String, _ expand: String = simulatorParts, token: String? = simulatorKey, ifNoneMatch: String? = nil
    ) async throws -> SimResponse {
        let target = "/api/v2/engagements/\(id)" + (expand.isEmpty ? "" : "?expand=\(expand)")
        return try await answer(SimRequest(target: target, authorization: token, ifNoneMatch: ifNoneMatch))
    }

    func list(_ query: String) async throws -> SimResponse {
        try await answer(SimRequest(target: "/api/v2/engagements?\(query)", authorization: simulatorKey))
    }
}

/// A world with the demo token in it, but without a server.
func makeWorld(
    seed: UInt64 = 7, _ settings: SimulatorSettings = SimulatorSettings(), _ change: (inout Switches) -> Void = { _ in }
) -> World {
    var switches = Switches()
    change(&switches)
    return Simulator(seed: seed, settings: settings, switches: switches).world
}

/// A simulator behind real HTTP, with its control endpoint unless a test is about that being off.
struct RemoteSimulator {
    struct Answer {
        let status: Int
        let headers: HTTPHeaders
        let body: [UInt8]

        /// `nil` where the body is no JSON.
        var json: JSON? { try? JSONDecoder().decode(JSON.self, from: Data(body)) }
        func header(_ name: String) -> String? { headers.first(name: name) }
    }

    /// Follows no redirect, so that one can be seen.
    private static let client = HTTPClient(
        eventLoopGroupProvider: .singleton, configuration: .init(redirectConfiguration: .disallow))

    let simulator: Simulator
    var world: World { simulator.world }

    /// Stopped at the end, however that comes about.
    static func run(
        _ settings: SimulatorSettings = SimulatorSettings(), hasControl: Bool = true,
        _ test: (RemoteSimulator) async throws -> Void
    ) async throws {
        let remote = RemoteSimulator(simulator: Simulator(seed: 7, settings: settings, hasControl: hasControl))
        try await remote.simulator.start()
        do {
            try await test(remote)
        } catch {
            await remote.simulator.stop()
            throw error
        }
        await remote.simulator.stop()
    }

    func get(
        _ id: String, _ expand: String = simulatorParts, token: String = simulatorKey, ifNoneMatch: String? = nil
    ) async throws -> Answer {
        try await ask("/api/v2/engagements/\(id)?expand=\(expand)", token: token, ifNoneMatch: ifNoneMatch)
    }

    func list(_ query: String) async throws -> Answer {
        try await ask("/api/v2/engagements?\(query)")
    }

    func documents(_ numbers: Range<Int>, _ expand: String = simulatorParts) async throws -> [JSON] {
        var result: [JSON] = []
        for number in numbers {
            if let document = try await get(world.id(number), expand).json { result.append(document) }
        }
        return result
    }

    /// Posts to the control endpoint.
    func control(_ verb: String, _ body: String = "{}") async throws -> Answer {
        try await ask("/_simulator/\(verb)", method: "POST", body: body)
    }

    func ask(
        _ path: String, method: String = "GET", token: String = simulatorKey, ifNoneMatch: String? = nil,
        body: String? = nil
    ) async throws -> Answer {
        var request = HTTPClientRequest(url: simulator.baseURL.replacing(/\/api$/, with: "") + path)
        request.method = HTTPMethod(rawValue: method)
        request.headers.add(name: "Authorization", value: token)
        if let ifNoneMatch { request.headers.add(name: "If-None-Match", value: ifNoneMatch) }
        if let body { request.body = .bytes(ByteBuffer(string: body)) }
        let response = try await Self.client.execute(request, timeout: .seconds(20))
        let bytes = try await response.body.collect(upTo: 1 << 22)
        return Answer(
            status: Int(response.status.code), headers: response.headers, body: Array(bytes.readableBytesView))
    }
}
