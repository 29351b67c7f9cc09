import Foundation
import Simulator
import TestKit
import Testing

/// What commands do where a person sits in front: on a terminal that `script` makes.
struct OnATerminalTests {
    private func type(_ command: String, _ stage: Stage, answer: String = "") async throws -> Program {
        let variables = stage.environment.map { "\($0)=\($1)" }
        return try await Program.run(
            "env", variables + ["script", "-qec", "'\(WorkerProcess.binary.path)' \(command)", "/dev/null"],
            input: answer)
    }

    /// The list ended long before now, by whose time the bar goes.
    @Test func theBarOfABackfillIsFullAtTheEnd() async throws {
        try await Stage.run { stage in
            stage.world.register(stage.ids(0..<250))
            let ended = try await type("backfill", stage)
            #expect(ended.status == 0, "\(ended.output)")
            let frames = ended.output.split(separator: "\r").filter { $0.contains(" pages, ") }
            let bars = frames.compactMap { $0.firstMatch(of: /\[(#*)(·*)\]/)?.output }
            #expect(bars.allSatisfy { $0.1.count + $0.2.count == 20 })
            #expect(bars.last?.2.isEmpty == true, "\(ended.output)")
            #expect(ended.output.hasSuffix("250 engagements listed on 3 pages, 250 queued\r\n"), "\(ended.output)")
        }
    }

    /// What cannot be undone is asked for first, once.
    @Test(arguments: ["no\n", "\n", "yes\n"]) func aPurgeAsksFirst(_ answer: String) async throws {
        try await Stage.run { stage in
            let id = stage.world.id(1)
            try await stage.insert([id])
            #expect(try await stage.command(["run", "--once"]).status == 0)
            let ended = try await type("purge \(id)", stage, answer: answer)
            #expect(ended.output.contains("Type yes to delete \(id) for good: "), "\(ended.output)")
            let isMeant = answer == "yes\n"
            #expect(ended.status == (isMeant ? 0 : 1), "\(ended.output)")
            #expect(ended.output.contains("nothing was purged") == !isMeant)
            #expect(try await stage.database.count("SELECT count(*) FROM engagements") == (isMeant ? 0 : 1))
        }
    }
}
