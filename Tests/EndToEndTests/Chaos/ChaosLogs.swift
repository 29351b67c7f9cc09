import Foundation
import Postgres
import Simulator
import TestKit

/// 9 and 11: what the workers wrote.
struct ChaosLogs: Sendable {
    let stage: ChaosStage

    func violations() throws -> [String] {
        let lives = stage.slots.flatMap(\.lives)
        let forbidden = canaries
        var found: [String] = []
        var ended: [String: Int] = [:]
        for life in lives {
            let process = life.process
            for line in process.lines() {
                if let secret = forbidden.first(where: line.contains) { found.append("9: a log says \(secret)") }
            }
            // The last line of one that was killed may be half a line.
            let records = life.wasKilled ? process.records().dropLast() : process.records()[...]
            found += records.compactMap { ($0["unparsed"] as? String).map { "11: no record: \($0.prefix(200))" } }
            for record in records where record["event"] as? String == "job.done" {
                guard let job = record["job_id"] as? Int, let outcome = record["outcome"] as? String else { continue }
                if ["retry", "released", "lease_lost"].contains(outcome) { continue }
                ended["job \(job)", default: 0] += 1
            }
            found += silences(life, Array(records))
        }
        found += ended.filter { $0.value > 1 }.map { "11: \($0.key) ended \($0.value) times by the logs" }
        let server = try stage.cluster.serverLog()
        found += forbidden.filter(server.contains).map { "9: the server's log says \($0)" }
        return found
    }

    /// Jobs that a worker completed without a line for their engagement, of workers that ended in peace: one that is asked to
    /// end amid faults may never hear what became of its last statement.
    func unreported() async throws -> [String] {
        var found: [String] = []
        for life in stage.slots.compactMap(\.lives.last) {
            let records = life.process.records()
            guard let boot = records.lazy.compactMap({ $0["worker"] as? String }).first,
                let bits = UInt64(boot, radix: 16)
            else { continue }
            let told = Set(
                records.filter { $0["event"] as? String == "job.done" }.compactMap { $0["engagement_id"] as? String })
            let rows = try await stage.cluster.run(
                """
                SELECT DISTINCT engagement_id FROM audit_gone WHERE boot_id = \(Int64(bitPattern: bits))
                  AND engagement_id ~ '^ngmt_[A-Za-z0-9]{1,64}$'
                """)
            found += try rows.map { try $0.text("engagement_id") }.filter { !told.contains($0) }
                .map { "11: \(boot) completed \($0) without a line" }
        }
        return found
    }

    /// From ready to the end there is a heartbeat a minute; a frozen process has none.
    private func silences(_ life: ChaosSlot.Life, _ records: [[String: Any]]) -> [String] {
        guard !life.wasFrozen else { return [] }
        let parser = ISO8601DateFormatter()
        parser.formatOptions = [.withInternetDateTime, .withFractionalSeconds]
        let beats = records.filter {
            ["worker.ready", "worker.heartbeat", "worker.stop"].contains($0["event"] as? String ?? "")
        }.compactMap { ($0["ts"] as? String).flatMap(parser.date(from:)) }
        return zip(beats, beats.dropFirst()).filter { $1.timeIntervalSince($0) > 65 }
            .map { "11: no heartbeat from \($0) to \($1)" }
    }

    private var canaries: [String] {
        let numbers = stage.book.inserted.keys.sorted().prefix(20)
        let spoken = numbers.compactMap {
            stage.world.truth(stage.world.id($0)).transcript?.split(separator: "\n").first
        }
        let words = spoken.compactMap { $0.split(separator: ": ").last.map(String.init) }
        return [Simulator.demoToken, "@people.example", "SIGNATURE-", "media.example"] + words
    }
}
