import FoundationEssentials

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
