import Foundation
import Postgres
import Simulator
import TestKit

/// Looks from outside whether everything holds that must hold after any faults; what does not, as text.
struct ChaosInvariants: Sendable {
    let stage: ChaosStage

    func violations() async throws -> [String] {
        var found: [String] = []
        for (number, sql) in ChaosAudit.violations {
            found += try await texts(sql).map { "\(number): \($0)" }
        }
        return try await found + charges() + erased() + denials() + sessions() + deadLetters()
    }

    private func texts(_ sql: String) async throws -> [String] {
        let rows = try await stage.cluster.run("SELECT t FROM (\(sql)) AS v(t) LIMIT 5")
        return try rows.map { try $0.text("t") }
    }

    /// 6. A job is charged only for a request that was made to fail.
    private func charges() async throws -> [String] {
        let own = stage.book.ownErrors
        let requests = Dictionary(grouping: stage.world.requests.filter { $0.id != nil }) { $0.id! }
        let now = ContinuousClock.now
        let rows = try await stage.cluster.run(
            """
            SELECT engagement_id, error, extract(epoch FROM clock_timestamp() - at)::text AS ago, boot_id::text AS boot
            FROM audit_charges
            """)
        let slots = slotsByBoot
        return try rows.compactMap { row in
            let (id, error) = (try row.text("engagement_id"), try row.textIfPresent("error") ?? "nothing")
            guard !own.contains(id) else { return nil }
            let time = now - .seconds(Double(try row.text("ago"))!)
            guard let slot = try row.textIfPresent("boot").flatMap({ slots[$0] }) else {
                return "6: \(id) was charged by nobody"
            }
            return wrong(error, time, slot, requests[id] ?? []).map { "6: \(id) was charged for \(error): \($0)" }
        }
    }

    /// By the boot id of each worker that ran.
    private var slotsByBoot: [String: Int] {
        var slots: [String: Int] = [:]
        for (number, slot) in stage.slots.enumerated() {
            for life in slot.lives {
                let boot = life.process.records().lazy.compactMap { $0["worker"] as? String }.first
                if let bits = boot.flatMap({ UInt64($0, radix: 16) }) {
                    slots[String(Int64(bitPattern: bits))] = number
                }
            }
        }
        return slots
    }

    /// Why a job should not have been charged then for what became of one of the requests for it.
    private func wrong(
        _ error: String, _ time: ContinuousClock.Instant, _ slot: Int, _ requests: [JournalEntry]
    ) -> String? {
        let (counts, timeout) = (stage.counts, ChaosSlot.requestTimeout)
        // What became of it waited for the database then, which may have been away for a while.
        let lately = time - timeout - .seconds(20)...time
        if !error.hasPrefix("HTTP"),
            !counts.windows(in: lately, slot: slot, of: { $0.breaksRequests || $0 == .freeze }).isEmpty
        {
            return nil
        }
        var reason = "no request failed"
        for sent in requests.map(\.time) where lately.contains(sent) {
            guard let away = counts.windows(in: sent...sent, of: \.isWholeAPI).last else { continue }
            // A failure is a job's own if what is asked for next is served. That may arrive late.
            let isLate = !counts.windows(in: sent...sent + .seconds(1), slot: slot, of: \.slowsRequests).isEmpty
            var next = sent + (away.fault == .apiHang || isLate ? timeout : .zero) + .seconds(1)
            // Under a limit its turn comes from Postgres, which may have none for a while.
            let withheld =
                counts.windows(in: sent...next, slot: slot, of: \.breaksDatabaseLine)
                + counts.windows(in: sent...next, of: \.breaksDatabase)
            next = withheld.map { $0.time.upperBound + .seconds(2) }.reduce(next, max)
            if next >= away.time.upperBound { return nil }
            reason = """
                the API as a whole was away; since the request, in seconds: charged \(Self.seconds(time - sent)), \
                faults \(counts.windows(in: sent...time).map { $0.text(since: sent) }), asked \
                \(stage.world.requests.filter { (sent...time).contains($0.time) }.suffix(50).map { $0.text(since: sent) })
                """
        }
        return reason
    }

    fileprivate static func seconds(_ duration: Duration) -> String {
        (Double(duration / .milliseconds(1)).rounded() / 1_000).description
    }

    /// 3 and 5. Whenever links of an engagement were removed, what was left are those of one of its versions.
    private func erased() async throws -> [String] {
        let rows = try await stage.cluster.run(
            "SELECT DISTINCT engagement_id, part, array_to_string(left_over, ',') AS left_over FROM audit_links")
        let numbers = Dictionary(uniqueKeysWithValues: stage.book.inserted.keys.map { (stage.world.id($0), $0) })
        let entries = stage.book.inserted
        return try rows.compactMap { row in
            let (id, part) = (try row.text("engagement_id"), try row.text("part"))
            guard let number = numbers[id], let entry = entries[number] else { return nil }
            let left = Set(try row.text("left_over").split(separator: ",").map(String.init))
            let isOfAVersion = (1...entry.version).contains { version in
                let truth = stage.world.engagement(id, version: version)
                let links: [String] =
                    switch part {
                    case "contacts": truth.contacts.map(\.id)
                    case "companies": truth.companies.map(\.id)
                    case "owner": truth.owner.map { [$0.id] } ?? []
                    default: truth.tags.map(\.id)
                    }
                return Set(links) == left
            }
            return isOfAVersion ? nil : "5: \(part) of \(id) were once \(left.sorted()), as in none of its versions"
        }
    }

    /// 8. A denial has an engagement that was answered without the part, and is of a part that was taken away.
    private func denials() async throws -> [String] {
        let rows = try await stage.cluster.run("SELECT DISTINCT part, evidence_id FROM audit_denials")
        return try rows.compactMap { row in
            let (part, evidence) = (try row.text("part"), try row.textIfPresent("evidence_id") ?? "")
            guard let part = SimPart(rawValue: part), let scope = part.scope else {
                return "8: \(part) was denied, which needs no scope"
            }
            let isShown = stage.world.requests(for: evidence).contains {
                $0.status == 200 && !$0.parts.contains(part)
            }
            return isShown ? nil : "8: \(part) (\(scope)) was denied without evidence: \(evidence)"
        }
    }

    /// 7 and 10. Only workers that run hold anything, and none is in a transaction.
    private func sessions() async throws -> [String] {
        try await texts(
            """
            SELECT format('7: job %s is held by %s', q.id, q.leased_by) FROM enrichment_queue AS q
            WHERE q.leased_by IS NOT NULL AND NOT EXISTS (
                SELECT FROM pg_locks AS l WHERE l.locktype = 'advisory' AND l.mode = 'ShareLock' AND l.objsubid = 1
                AND (l.classid::bigint << 32) | l.objid::bigint = q.leased_by)
            UNION ALL
            SELECT format('10: %s is %s', application_name, state) FROM pg_stat_activity
            WHERE application_name LIKE 'engagement-worker %' AND state LIKE 'idle in transaction%'
              AND state_change < now() - interval '5 s'
            """)
    }

    /// 6. Nothing died but what was refused, or failed by itself.
    private func deadLetters() async throws -> [String] {
        let wild = Set(stage.book.inserted.keys.filter(ChaosWorkload.isWild).map(stage.world.id))
        let rows = try await stage.cluster.run(
            "SELECT key, cause, error FROM dead_letters WHERE cause IN ('not_found', 'private')")
        return try rows.compactMap { row in
            let (key, cause) = (try row.text("key"), try row.text("cause"))
            return wild.contains(key) ? nil : "6: \(key) died as \(cause) and was always to be read"
        }
    }

    // MARK: The truth

    /// 3, 4 and 5, before anything is inserted again: of each engagement that could always be read, the tables hold one
    /// version in all its parts, and none older than its last insert.
    func staleOrMixed() async throws -> [String] {
        let rows = try await stage.cluster.run(
            #"SELECT id, to_char(updated_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') AS at FROM engagements"#
        )
        let stored = Dictionary(
            uniqueKeysWithValues: try rows.map { (try $0.text("id"), try $0.textIfPresent("at")) })
        let dead = Set(try await stage.cluster.run("SELECT key FROM dead_letters").map { try $0.text("key") })
        var truth: [SimEngagement] = []
        var found: [String] = []
        for (number, entry) in stage.book.inserted where !ChaosWorkload.isWild(number) {
            let id = stage.world.id(number)
            if dead.contains(id) { continue }
            let versions = (entry.insertedVersion...entry.version).map { stage.world.engagement(id, version: $0) }
            if let match = versions.first(where: { $0.updatedAt.text(withMilliseconds: true) == stored[id] ?? nil }) {
                truth.append(match)
            } else {
                found.append(
                    "4: \(id) is as of \(stored[id].flatMap(\.self) ?? "never"), and was inserted at version "
                        + "\(entry.insertedVersion) of \(entry.version)")
            }
        }
        return try await found.prefix(5) + differences(truth).map { "3: \($0)" }
    }

    /// The tables equal the truth of now.
    func untrue() async throws -> [String] {
        try await differences(stage.book.inserted.keys.map { stage.world.truth(stage.world.id($0)) })
    }

    private func differences(_ truth: [SimEngagement]) async throws -> [String] {
        try await TruthComparison(truth, beside: .others).differences { try await stage.cluster.run($0) }
    }
}

extension ChaosCounts.Window {
    fileprivate func text(since start: ContinuousClock.Instant) -> String {
        let (from, to) = (time.lowerBound - start, time.upperBound - start)
        return "\(fault).\(slot) \(ChaosInvariants.seconds(from))...\(ChaosInvariants.seconds(to))"
    }
}

extension JournalEntry {
    fileprivate func text(since start: ContinuousClock.Instant) -> String {
        "\(isList ? "list" : id ?? "?") \(status ?? 0) \(ChaosInvariants.seconds(time - start))"
    }
}
