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
        let bodies = try await bodies(of: world, count)
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

struct BenchError: Error, CustomStringConvertible {
    let description: String
    init(_ description: String) { self.description = description }
}
