import Foundation
import TestKit

/// What an application's INSERTs cost with our trigger and without it, by 16 clients of pgbench, a row a transaction.
struct Inserting {
    private let scene: Scene
    private var ground: Ground { scene.ground }

    init(_ scene: Scene) { self.scene = scene }

    func measure(_ report: inout Report) async throws {
        // Nobody is there; a worker that keeps up, and sleeps between; one with more to do than it can.
        try await compare("no worker", &report)
        try await Running.with(ground, [scene.site]) { _ in try await compare("keeping up", &report) }
        try await Running.with(ground, [scene.slowSite], concurrency: 4) { _ in try await compare("behind", &report) }
    }

    private func compare(_ name: String, _ report: inout Report) async throws {
        try await ground.prepare(scene.seeds)
        for (verb, suffix) in [("DISABLE", ", no trigger"), ("ENABLE", "")] {
            try await ground.cluster.run("ALTER TABLE enrichment_queue \(verb) TRIGGER ring_bell")
            report.add("inserting, \(name)\(suffix) /s", try await rate())
        }
    }

    private func rate() async throws -> Double {
        let script = scene.folder + "/insert.sql"
        // Ids that the site has.
        let ids = scene.rest.prefix(1_000).map { "'\($0.id)'" }.joined(separator: ",")
        try """
        \\set n random(1, 1000)
        INSERT INTO enrichment_queue (engagement_id) VALUES ((ARRAY[\(ids)])[:n]);
        """.write(toFile: script, atomically: true, encoding: .utf8)
        // By count: the alarm that ends it by time may be blocked in a child of ours.
        let ran = try await Program.run(
            "pgbench",
            [
                "-n", "-c16", "-j2", "-t1000", "-f", script,
                ground.cluster.conninfo + " options='-c search_path=askelephant'",
            ])
        guard ran.status == 0,
            let line = ran.output.split(separator: "\n").first(where: { $0.hasPrefix("tps = ") }),
            let rate = Double(line.dropFirst(6).prefix { $0 != " " })
        else { throw BenchError("pgbench: \(ran.output) \(ran.errors)") }
        return rate
    }
}
