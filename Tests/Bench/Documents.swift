import AskElephant
import Foundation
import Simulator

/// Engagements of one size as the API sends them, each with 20 children: contacts and companies of a shared pool, action
/// items, signals and tags.
struct Documents: Sendable {
    struct One: Sendable {
        let id: String
        /// As it comes from the API.
        let body: [UInt8]
        /// As it goes to Postgres.
        let json: [UInt8]
        let transcript: [UInt8]?
    }

    let kilobytes: Int
    let all: [One]

    /// - Parameter kilobytes: the length of a document, which its transcript fills up.
    static func make(kilobytes: Int, count: Int) async throws -> Documents {
        let bare = try await render(transcriptBytes: 200, count: 50)
        let rest = max(200, kilobytes * 1024 - bare.map(\.count).reduce(0, +) / bare.count)
        let world = world(transcriptBytes: rest)
        var shared = SharedEntities()
        let bodies = try await bodies(of: world, count).map { try shared.unify($0) }
        let all = bodies.enumerated().map { number, body in
            let (json, transcript) = TranscriptCut.cut(body)
            return One(id: world.id(number), body: body, json: json, transcript: transcript)
        }
        return Documents(kilobytes: kilobytes, all: all)
    }

    var meanBytes: Int { all.map(\.body.count).reduce(0, +) / max(1, all.count) }

    /// One file an engagement, by its id.
    func write(to folder: String) throws {
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        for one in all { try Data(one.body).write(to: URL(fileURLWithPath: "\(folder)/\(one.id)")) }
    }

    private static func render(transcriptBytes: Int, count: Int) async throws -> [[UInt8]] {
        try await bodies(of: world(transcriptBytes: transcriptBytes), count)
    }

    private static func world(transcriptBytes: Int) -> World {
        var settings = SimulatorSettings()
        settings.children = 4...4
        settings.unfinishedPercent = 0
        settings.transcriptBytes = transcriptBytes...transcriptBytes
        return Simulator(seed: 20, settings: settings).world
    }

    private static func bodies(of world: World, _ count: Int) async throws -> [[UInt8]] {
        let parts = Expand.allCases.map(\.rawValue).joined(separator: ",")
        var bodies: [[UInt8]] = []
        for number in 0..<count {
            let response = try await world.answer(
                SimRequest(
                    target: "/api/v2/engagements/\(world.id(number))?expand=\(parts)",
                    authorization: Simulator.demoToken))
            guard response.status == 200 else { throw BenchError("the simulator answers \(response.status)") }
            bodies.append(response.body)
        }
        return bodies
    }
}

/// An entity looks the same in all engagements that name it, as it does at the API while nobody edits it. The simulator makes
/// one for each engagement, and some of its fields come and go.
private struct SharedEntities {
    private var known: [String: Any] = [:]

    mutating func unify(_ body: [UInt8]) throws -> [UInt8] {
        guard var document = try JSONSerialization.jsonObject(with: Data(body)) as? [String: Any] else {
            throw BenchError("a document is no object")
        }
        for part in ["companies", "contacts", "tags"] {
            if let entities = document[part] as? [[String: Any]] { document[part] = entities.map { unify(part, $0) } }
        }
        if let owner = document["owner"] as? [String: Any] { document["owner"] = unify("owner", owner) }
        return [UInt8](try JSONSerialization.data(withJSONObject: document, options: .sortedKeys))
    }

    private mutating func unify(_ part: String, _ entity: [String: Any]) -> Any {
        guard let id = entity["id"] as? String else { return entity }
        let first = known["\(part) \(id)"] ?? entity
        known["\(part) \(id)"] = first
        return first
    }
}

struct BenchError: Error, CustomStringConvertible {
    let description: String
    init(_ description: String) { self.description = description }
}
