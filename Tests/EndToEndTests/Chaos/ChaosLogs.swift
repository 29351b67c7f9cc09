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
            for record in records where isFinal(record) {
                ended["job \(record["job_id"] as? Int ?? 0)", default: 0] += 1
            }
            found += silences(life, Array(records))
        }
        found += ended.filter { $0.value > 1 }.map { "11: \($0.key) ended \($0.value) times by the logs" }
        let server = try stage.cluster.serverLog()
        found += forbidden.filter(server.contains).map { "9: the server's log says \($0)" }
        return found
    }

    /// Engagements of which a worker's lines tell another number of ended jobs than it completed, of workers that ended in
    /// peace: one that is asked to end amid faults may never hear what became of its last statement.
    func unreported() async throws -> [String] {
        var found: [String] = []
        for life in stage.slots.compactMap(\.lives.last) {
            let records = life.process.records()
            guard let boot = records.lazy.compactMap({ $0["worker"] as? String }).first,
                let bits = UInt64(boot, radix: 16)
            else { continue }
            var told: [String: Int] = [:]
            for record in records where isFinal(record) {
                // Where it is no id, nothing of it stands in the log.
                told[record["engagement_id"] as? String ?? "", default: 0] += 1 + (record["coalesced"] as? Int ?? 0)
            }
            let rows = try await stage.cluster.run(
                """
                SELECT CASE WHEN engagement_id ~ '^ngmt_[A-Za-z0-9]{1,64}$' THEN engagement_id ELSE '' END AS id,
                       count(*)::text AS n
                FROM audit_gone WHERE boot_id = \(Int64(bitPattern: bits)) GROUP BY 1
                """)
            let completed = Dictionary(
                uniqueKeysWithValues: try rows.map { (try $0.text("id"), Int(try $0.text("n"))!) })
            for id in Set(told.keys).union(completed.keys) where told[id] != completed[id] {
                found.append("11: \(boot) completed \(completed[id] ?? 0) jobs of \(id) and told \(told[id] ?? 0)")
            }
        }
        return found
    }

    private func isFinal(_ record: [String: Any]) -> Bool {
        record["event"] as? String == "job.done"
            && !["retry", "released", "lease_lost"].contains(record["outcome"] as? String)
    }

    /// From ready to its last line there is a heartbeat a minute; a frozen process has none.
    private func silences(_ life: ChaosSlot.Life, _ records: [[String: Any]]) -> [String] {
        guard !life.wasFrozen else { return [] }
        let parser = ISO8601DateFormatter()
        parser.formatOptions = [.withInternetDateTime, .withFractionalSeconds]
        func time(_ record: [String: Any]) -> Date? { (record["ts"] as? String).flatMap(parser.date(from:)) }
        guard let ready = records.firstIndex(where: { $0["event"] as? String == "worker.ready" }) else { return [] }
        let beats = records[ready...].filter { $0["event"] as? String == "worker.heartbeat" }
        let times = ([records[ready]] + beats + records.suffix(1)).compactMap(time)
        return zip(times, times.dropFirst()).filter { $1.timeIntervalSince($0) > 65 }
            .map { "11: no heartbeat from \($0) to \($1)" }
    }

    private var canaries: [String] {
        let numbers = stage.book.inserted.keys.sorted().prefix(20)
        let spoken = numbers.compactMap {
            stage.world.truth(stage.world.id($0)).transcript?.split(separator: "\n").first
        }
        let words = spoken.compactMap { $0.split(separator: ": ").last.map(String.init) }
        return stage.token.all + ["@people.example", "SIGNATURE-", "media.example"] + words
    }
}
