import Foundation
import TestKit

/// Measures the worker against what its parts could do alone. `Tests/bench` builds and calls it.
///
///     bench ROUNDS FOLDER JSON
@main struct Bench {
    static func main() async {
        do { try await run() } catch {
            log("bench: \(error)")
            exit(1)
        }
    }

    private static func run() async throws {
        let arguments = CommandLine.arguments
        let rounds = arguments.count > 1 ? Int(arguments[1]) ?? 3 : 3
        let folder = arguments.count > 2 ? arguments[2] : TestCluster.folder
        try await PrivateCluster.run(options: Ground.options) { cluster in
            let ground = try Ground(cluster)
            var report = Report()
            let small = try await Scene(ground, kilobytes: 8, count: 8_000, folder: folder)
            let large = try await Scene(ground, kilobytes: 40, count: 3_000, folder: folder)
            defer { for scene in [small, large] { scene.stop() } }
            for round in 1...rounds {
                log("round \(round) of \(rounds)")
                for scene in [small, large] { try await scene.measure(&report) }
            }
            print(report.table(goals))
            if arguments.count > 3 { try report.json().write(to: URL(fileURLWithPath: arguments[3])) }
        }
    }

    static func log(_ text: String) { FileHandle.standardError.write(Data((text + "\n").utf8)) }

    private static let goals: [Report.Goal] = [
        .init(name: "end to end / L, 8 KB", figure: "8 KB end to end / L", bound: 0.92),
        .init(name: "end to end / L, 40 KB", figure: "40 KB end to end / L", bound: 0.92),
        .init(name: "writing alone / COPY, 8 KB", figure: "8 KB writing / COPY", bound: 0.9),
        .init(name: "writing alone / COPY, 40 KB", figure: "40 KB writing / COPY", bound: 0.8),
        .init(name: "worker CPU / wrk's CPU, 8 KB", figure: "8 KB worker / wrk", bound: 5.5, isUpper: true),
        .init(name: "worker CPU / wrk's CPU, 40 KB", figure: "40 KB worker / wrk", bound: 6, isUpper: true),
        .init(
            name: "end to end / one transaction a document, 8 KB", figure: "8 KB end to end / single", bound: 5),
        .init(name: "unchanged again / first time, 8 KB", figure: "8 KB unchanged / first", bound: 4),
        .init(name: "50 ms, 64 in flight / possible", figure: "8 KB 50 ms 64 / possible", bound: 0.97),
        .init(name: "50 ms, 256 in flight / without latency", figure: "8 KB 50 ms 256 / none", bound: 0.92),
        .init(name: "peak memory, 8 KB (MB)", figure: "8 KB peak MB", bound: 100, isUpper: true),
        .init(name: "peak memory, 40 KB (MB)", figure: "40 KB peak MB", bound: 160, isUpper: true),
        .init(name: "with a transaction open elsewhere / without", figure: "8 KB held / free", bound: 0.9),
        .init(name: "idle CPU (% of a core)", figure: "idle CPU %", bound: 0.3, isUpper: true),
        .init(name: "idle memory (MB)", figure: "idle MB", bound: 40, isUpper: true),
    ]
}
