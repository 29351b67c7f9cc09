import Foundation
import TestKit

/// Measures the worker against what its parts could do alone. `Tests/bench` builds and calls it.
///
///     bench FOLDER ROUNDS JSON [LEG…]
@main struct Bench {
    static func main() async {
        do { try await run(Array(CommandLine.arguments.dropFirst())) } catch {
            log("bench: \(error)")
            exit(1)
        }
    }

    private static func run(_ arguments: [String]) async throws {
        guard arguments.count >= 3, let rounds = Int(arguments[1]) else {
            throw BenchError("usage: bench FOLDER ROUNDS JSON [LEG…]")
        }
        let legs = try arguments.dropFirst(3).map { name in
            guard let leg = Leg(rawValue: name) else {
                throw BenchError("no leg \(name): \(Leg.allCases.map(\.rawValue).joined(separator: " "))")
            }
            return leg
        }
        try await PrivateCluster.run(options: Ground.options) { cluster in
            let ground = try Ground(cluster)
            var report = Report()
            let small = try await Scene(ground, kilobytes: 8, count: 6_000, folder: arguments[0])
            let large = try await Scene(ground, kilobytes: 40, count: 2_000, folder: arguments[0])
            defer { for scene in [small, large] { scene.stop() } }
            for round in 1...rounds {
                for leg in Leg.allCases where legs.isEmpty || legs.contains(leg) {
                    if leg.isOnce && round > 1 { continue }
                    for scene in leg.isForBothSizes ? [small, large] : [small] {
                        log("round \(round) of \(rounds): \(leg.rawValue), \(scene.documents.kilobytes) KB")
                        try await scene.measure(leg, &report)
                    }
                }
                report.endRound()
            }
            print(report.table)
            try report.json().write(to: URL(fileURLWithPath: arguments[2]))
        }
    }

    static func log(_ text: String) { FileHandle.standardError.write(Data((text + "\n").utf8)) }
}
