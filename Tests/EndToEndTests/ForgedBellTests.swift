import Foundation
import Glibc
import Simulator
import TestKit
import Testing

/// Anybody who may connect to the database may ring our bell.
@Suite(.serialized) struct ForgedBellTests {
    @Test func fiftyThousandASecondCostLittleAndHideNoTrueOne() async throws {
        try await Stage.run { stage in
            let worker = try await stage.worker(["--poll-interval", "60s"])
            try await stage.database.wait(
                for: "SELECT count(*) FROM workers WHERE idle_until < clock_timestamp() + interval '42 s'", toBe: "1")
            let channel = try #require(try await stage.database.value("SELECT bell_channel()"))
            let canary = "PAYLOAD-\(UInt64.random(in: 0 ... .max))"
            let (start, used) = (ContinuousClock.now, try worker.processorSeconds)
            var forged = 0
            while ContinuousClock.now - start < .seconds(3) {
                // Different payloads, or the server makes one notification of them.
                try await stage.database.run(
                    """
                    SELECT count(pg_notify('\(channel)', i || E'\\n{"\(canary)":"' || repeat('x', 20)))
                    FROM generate_series(\(forged), \(forged + 4_999)) AS i
                    """)
                forged += 5_000
                let ahead = .seconds(Double(forged) / 50_000) - (ContinuousClock.now - start)
                if ahead > .zero { try await Task.sleep(for: ahead) }
            }
            // A true one behind all of them.
            try await stage.insert(stage.ids(0..<1))
            try await stage.database.wait(for: "SELECT count(*) FROM engagements", toBe: "1", within: .seconds(2))
            let share = (try worker.processorSeconds - used) / ((ContinuousClock.now - start) / .seconds(1))
            print("\(forged) forged bells cost \(Int(share * 1000)) thousandths of a processor")
            #expect(forged >= 20_000, "\(forged)")
            #expect(share < 0.1)
            #expect(worker.isRunning)
            #expect(!worker.lines().contains { $0.contains(canary) })
            #expect(worker.records(of: "listen.lost").isEmpty)
        }
    }
}

extension WorkerProcess {
    /// User and system time by `/proc` (proc(5), `stat`).
    fileprivate var processorSeconds: Double {
        get throws {
            let stat = try String(contentsOfFile: "/proc/\(processID)/stat", encoding: .utf8)
            let fields = stat.split(separator: ")").last?.split(separator: " ") ?? []
            let ticks = fields.dropFirst(11).prefix(2).compactMap { Double($0) }
            return ticks.reduce(0, +) / Double(sysconf(Int32(_SC_CLK_TCK)))
        }
    }
}
