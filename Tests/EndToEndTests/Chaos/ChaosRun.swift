import Foundation
import Glibc
import Postgres
import Simulator
import TestKit

/// A chaos run from its first worker to its last.
struct ChaosRun: Sendable {
    let stage: ChaosStage

    /// How long the queue may take to drain once all faults have ended: more is left of a longer storm, and a limit that was met
    /// in it is tried again with care.
    private var drainLimit: Duration { max(.seconds(150), stage.schedule.length * 2) }

    /// Faults and work at the same time, until both are over.
    func storm() async throws {
        for slot in stage.slots { try slot.start() }
        for slot in stage.slots { try await slot.worker.waitFor("worker.ready") }
        let start = ContinuousClock.now
        let working = Task { try await work(since: start) }
        // One after the other where they need the same, since a fault waits until it has met something.
        await each(Dictionary(grouping: stage.schedule.events) { $0.fault.resource($0.slot) }.values) { event in
            try? await Task.sleep(until: start + event.at, clock: .continuous)
            await ChaosActor(stage: stage, event: event).run()
        }
        try await working.value
        try await repeatWhatMetNothing()
    }

    private func each(
        _ chains: some Collection<[ChaosSchedule.Event]>, _ act: @escaping @Sendable (ChaosSchedule.Event) async -> Void
    ) async {
        await withTaskGroup(of: Void.self) { group in
            for chain in chains { group.addTask { for event in chain { await act(event) } } }
        }
    }

    /// A fault may have had its turn when there was nothing to meet: it has another, with work that comes all the time.
    private func repeatWhatMetNothing() async throws {
        let filling = Task {
            let numbers = stage.book.inserted.keys.filter { !ChaosWorkload.isWild($0) }.sorted()
            var next = 0
            while !Task.isCancelled {
                let rows = (0..<4).map { ChaosWorkload.Row(subject: .engagement(numbers[(next + $0) % numbers.count])) }
                try await stage.insert(rows)
                next += rows.count
                try await Task.sleep(for: ChaosWorkload.pace)
            }
        }
        defer { filling.cancel() }
        for event in stage.schedule.events where stage.counts.count(event.fault) == 0 {
            await ChaosActor(stage: stage, event: event).run()
        }
    }

    private func work(since start: ContinuousClock.Instant) async throws {
        var workload = ChaosWorkload(seed: stage.schedule.seed)
        let steps = Int(stage.schedule.length / ChaosWorkload.pace)
        for number in 0..<steps {
            try await Task.sleep(until: start + ChaosWorkload.pace * number, clock: .continuous)
            let step = workload.next()
            for (number, change) in step.changes { stage.change(number, change) }
            try await stage.insert(step.rows)
        }
    }

    /// Everything serves again, and every worker that should run does.
    func heal() async throws {
        for slot in stage.slots {
            slot.heal()
            slot.worker.thaw()
            stage.counts.noteIfEnded(slot.worker)
            if !slot.worker.isRunning { try slot.start() }
        }
        stage.world.clearOverrideOfAll()
        stage.world.setRateLimit(perSecond: nil)
        stage.world.setLatency(.milliseconds(5))
        for scope in ChaosStage.scopes { stage.world.grant(scope) }
    }

    /// Workers that were asked to end in the storm and did not end in order.
    func disorderly() async throws -> [String] {
        var found: [String] = []
        for life in stage.slots.flatMap(\.lives) where life.wasAsked && !life.wasKilled {
            let status = try await life.process.exitStatus()
            if status != 0 { found.append("asked to end, it ended with \(status):\n\(life.process.tail)") }
        }
        return found
    }

    /// Jobs end again soon after the last fault: a silent connection is given up after 15 s, all else sooner.
    func goesOn() async throws {
        let (due, ended) = (
            "SELECT count(*) FROM enrichment_queue WHERE available_at <= now()", "SELECT count(*) FROM audit_gone"
        )
        let before = try await stage.cluster.count(ended)
        try await eventually(within: .seconds(30), "a job ends after the storm, or none is due") {
            if try await stage.cluster.count(ended) > before { return true }
            return try await stage.cluster.count(due) == 0
        }
    }

    /// What is due is done; what waits for its time, not found for one, may wait on.
    func settle() async throws {
        try await drain("every job that is due has ended, and every denial is lifted") {
            """
            SELECT (SELECT count(*) FROM enrichment_queue WHERE reason IS DISTINCT FROM 'not_ready'
                    AND NOT (leased_by IS NULL AND coalesce(looks, 0) > 0 AND available_at > now()))
                 + (SELECT count(*) FROM scope_denials) + (SELECT count(*) FROM engagement_gaps AS g JOIN engagements AS e ON e.id = g.engagement_id
                    WHERE g.cause <> 'not_ready' AND e._unreadable_since IS NULL)
            """
        }
    }

    /// Nothing is hidden any more, and what changed after its last insert is inserted again.
    func finish() async throws {
        for number in stage.book.inserted.keys where ChaosWorkload.isWild(number) {
            stage.change(number, .makePrivate(false))
            stage.change(number, .makeMissing(false))
            stage.change(number, .makeGone(false))
        }
        for id in stage.book.ownErrors { stage.world.clearOverride(id) }
        try await stage.persist(
            "INSERT INTO enrichment_queue (engagement_id) SELECT engagement_id FROM dead_letters WHERE cause <> 'invalid_id'"
        )
        try await stage.insert(stage.book.outdated.map { ChaosWorkload.Row(subject: .engagement($0)) })
        try await drain("the queue is empty") {
            """
            SELECT (SELECT count(*) FROM enrichment_queue WHERE reason IS DISTINCT FROM 'not_ready')
                 + (SELECT count(*) FROM engagement_gaps WHERE cause <> 'not_ready')
            """
        }
    }

    private func drain(_ what: String, _ left: () -> String) async throws {
        // Nobody need wait for the times of the next looks.
        let hurry = """
            UPDATE scope_denials SET next_probe_at = now() WHERE next_probe_at > now();
            UPDATE enrichment_queue SET available_at = now()
            WHERE leased_by IS NULL AND available_at > now() AND reason IS DISTINCT FROM 'not_ready' AND coalesce(looks, 0) = 0
            """
        let isLast = what == "the queue is empty"
        var count = "?"
        do {
            try await eventually(within: drainLimit, what) {
                _ = try? await stage.cluster.run(
                    isLast ? hurry.replacingOccurrences(of: " AND coalesce(looks, 0) = 0", with: "") : hurry)
                count = (try? await stage.cluster.value(left())) ?? "?"
                if count != "0" { try await Task.sleep(for: .milliseconds(300)) }
                return count == "0"
            }
        } catch let error as TimedOut {
            let rows = try await stage.cluster.run(
                """
                SELECT format('%s %s due %s leased %s claims %s attempts %s looks %s: %s', id, left(engagement_id, 40),
                              available_at, leased_by, claims, attempts, looks, last_error) AS t
                FROM enrichment_queue WHERE reason IS DISTINCT FROM 'not_ready' AND NOT coalesce(looks, 0) > 0
                UNION ALL SELECT format('%s denied until %s', part, next_probe_at) FROM scope_denials
                UNION ALL SELECT format('%s of %s is missing: %s', part, engagement_id, cause) FROM engagement_gaps
                          WHERE cause <> 'not_ready'
                LIMIT 20
                """)
            throw ChaosFailure("\(error.description), left \(count): \(try rows.map { try $0.text("t") })")
        }
    }

    /// Asks every worker to end; the exit codes of those that were asked now.
    func stop() async throws -> [Int32] {
        let running = stage.slots.map(\.worker)
        for worker in running { worker.signal(SIGTERM) }
        var codes: [Int32] = []
        for worker in running { codes.append(try await worker.exitStatus()) }
        return codes
    }
}
