import Foundation
import Glibc
import Simulator
import TestKit
import Testing

/// What chance rarely meets, done on purpose before each storm: one worker alone that hardly ever polls.
struct ChaosProbes: Sendable {
    let stage: ChaosStage

    /// Engagements of the probes; those of the storm have lower numbers.
    private static let first = 1_000_000

    func run() async throws {
        let worker = try await aLineThatBreaksAtTheStartIsNotTheEnd()
        try await anotherHolderIsNotOverruled()
        try await whatIsNotDeliveredIsKept()
        try await aDripEndsByTheTotalDeadline()
        try await anInsertBeforeTheBellHangsIsFound()
        worker.signal(SIGTERM)
        #expect(try await worker.exitStatus() == 0)
    }

    private var slot: ChaosSlot { stage.slots[0] }
    private var cluster: PrivateCluster { stage.cluster }

    private func insert(_ id: String) async throws {
        try await cluster.run("INSERT INTO enrichment_queue (engagement_id) VALUES ('\(id)')")
    }

    private func count(_ sql: String) async throws -> Int {
        Int(try await cluster.value("SELECT count(*) FROM " + sql) ?? "") ?? -1
    }

    private func waitForRow(_ id: String) async throws {
        try await eventually("\(id) is stored") { try await count("engagements WHERE id = '\(id)'") == 1 }
    }

    private func endings(of id: String) -> [String] {
        slot.worker.records(of: "job.done").filter { $0["engagement_id"] as? String == id }
            .compactMap { $0["outcome"] as? String }
    }

    /// The line breaks between the worker's first connect and its first statement of its own.
    private func aLineThatBreaksAtTheStartIsNotTheEnd() async throws -> WorkerProcess {
        slot.database.holdRequests(.postgres("migrations_applied"))
        let worker = try slot.start(pollInterval: "1h")
        try await eventually("it looks at the schema") { slot.database.injected(.hold) > 0 }
        slot.database.reset()
        slot.database.releaseRequests()
        try await worker.waitFor("worker.ready")
        return worker
    }

    /// Somebody else holds the row while the answer is on its way.
    private func anotherHolderIsNotOverruled() async throws {
        let id = stage.world.id(Self.first)
        stage.world.hold(id)
        try await insert(id)
        try await eventually("it is asked for") { stage.world.requestCount(for: id) == 1 }
        try await cluster.run(
            """
            UPDATE enrichment_queue SET claims = claims + 1, leased_by = 1, available_at = now() + interval '2 s'
            WHERE engagement_id = '\(id)'
            """)
        stage.world.releaseHold(id)
        try await eventually(within: .seconds(10), "the job is lost") { endings(of: id).first != nil }
        #expect(endings(of: id).first == "lease_lost")
        #expect(try await count("engagements WHERE id = '\(id)'") == 0)
        #expect(try await count("enrichment_queue WHERE engagement_id = '\(id)'") == 1)
        try await eventually("it is claimed again") {
            try await cluster.run("SELECT pg_notify(bell_channel(), '')")
            return try await count("engagements WHERE id = '\(id)'") == 1
        }
    }

    /// An answer without a part that was asked for says nothing of that part.
    private func whatIsNotDeliveredIsKept() async throws {
        let id = try #require(
            (1...1_000).lazy.map { stage.world.id(Self.first + $0) }.first { !stage.world.truth($0).contacts.isEmpty })
        try await insert(id)
        try await waitForRow(id)
        let links = "engagement_contacts WHERE engagement_id = '\(id)'"
        let before = try await count(links)
        #expect(before > 0)
        stage.world.setSwitches { $0.missingExpandScope = .leaveOut }
        stage.world.revoke(SimScope.contacts)
        try await insert(id)
        try await eventually("it was written again") { endings(of: id).count == 2 }
        #expect(try await count(links) == before, "an absent part erased what was there")
        #expect(try await count("engagement_gaps WHERE engagement_id = '\(id)' AND part = 'contacts'") == 1)
        stage.world.setSwitches { $0.missingExpandScope = .refuse }
        stage.world.grant(SimScope.contacts)
        try await insert(id)
        try await eventually("the gap is filled") {
            try await count("engagement_gaps WHERE engagement_id = '\(id)' AND part = 'contacts'") == 0
        }
    }

    /// Bytes come all the time, and never enough of them.
    private func aDripEndsByTheTotalDeadline() async throws {
        let id = stage.world.id(Self.first + 2_000)
        stage.book.noteOwnError(id)
        slot.api.set(.drip(bytes: 50, every: .milliseconds(250)))
        try await insert(id)
        try await eventually(within: .seconds(20), "the request ends") { endings(of: id).first != nil }
        #expect(["retry", "released"].contains(endings(of: id).first), "the request took as long as the drip")
        #expect(slot.api.injected(.drip) > 0)
        slot.api.set(.none)
        try await waitForRow(id)
    }

    /// The listening connection breaks. An insert comes after the worker has looked and before it listens again; no bell
    /// rings for that one, and only a look after LISTEN finds it before the next poll.
    private func anInsertBeforeTheBellHangsIsFound() async throws {
        let id = stage.world.id(Self.first + 2_001)
        let channel = try #require(try await cluster.value("SELECT bell_channel()"))
        let held = slot.database.injected(.hold)
        slot.database.holdRequests(.containing("LISTEN \"\(channel)\""))
        try await cluster.run(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'engagement-worker listen'"
        )
        try await eventually("it is about to listen") { slot.database.injected(.hold) > held }
        try await eventually("it has looked for the last time and sleeps") {
            try await cluster.value(
                """
                SELECT max(state_change) < now() - interval '2 s' FROM pg_stat_activity
                WHERE application_name = 'engagement-worker claim'
                """) == "t"
        }
        try await insert(id)
        slot.database.releaseRequests()
        try await eventually(within: .seconds(8), "the look after LISTEN finds it") {
            try await count("engagements WHERE id = '\(id)'") == 1
        }
    }
}
