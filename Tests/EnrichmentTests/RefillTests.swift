import Enrichment
import Simulator
import TestKit
import Testing

/// Gaps fill by themselves once their part can be read, and never at the cost of new work.
@Suite(.serialized) struct RefillTests {
    private static let gaps = "SELECT count(*) FROM engagement_gaps WHERE cause <> 'not_ready'"

    /// The API allows ten requests a second, and three hundred gaps want to be filled.
    @Test(.timeLimit(.minutes(5))) func newWorkIsNotDelayedByARefillAtTenRequestsASecond() async throws {
        try await ScopeLab.run(without: ["contacts:read"]) { lab in
            let worker = try await lab.worker()
            try await lab.insert(lab.ids(0..<300))
            try await lab.drained()
            #expect(try await lab.gaps() == ["contacts scope_denied": 300])
            lab.world.setRateLimit(perSecond: 10)
            lab.world.grant("contacts:read")
            try await lab.recheck()
            try await eventually("granted") { !worker.log.records(of: .scopeGranted).isEmpty }
            try await eventually("the refill has met the limit") { !worker.log.records(of: .rateLimited).isEmpty }

            var waits: [Duration] = []
            for (number, id) in lab.ids(1_000..<1_020).enumerated() {
                let start = ContinuousClock.now
                try await lab.insert([id], priority: number % 2)
                try await lab.database.wait(
                    for: "SELECT count(*) FROM engagements WHERE id = '\(id)'", toBe: "1", within: .seconds(10))
                waits.append(ContinuousClock.now - start)
            }
            let left = try await lab.database.count(Self.gaps)
            waits.sort()
            print("insert to row: p50 \(waits[10]), max \(waits[19]); \(left) of 300 gaps were left")
            #expect(left > 100)
            lab.world.setRateLimit(perSecond: nil)
            try await lab.filled(within: .seconds(90))
            #expect(worker.log.records(of: .scopeGranted).count == 1)
            #expect(try await lab.database.count("SELECT count(*) FROM dead_letters") == 0)
            try await worker.stop()
        }
    }

    @Test(.timeLimit(.minutes(5))) func theNewestAreFilledFirst() async throws {
        try await ScopeLab.run(without: ["contacts:read"]) { lab in
            let worker = try await lab.worker { $0.concurrency = 1 }
            let ids = lab.ids(0..<60)
            try await lab.insert(ids)
            try await lab.drained()
            lab.world.clearJournal()
            lab.world.grant("contacts:read")
            try await lab.recheck()
            try await lab.filled()
            // The first one tried the part, and was any of them.
            let asked = lab.world.requests.compactMap(\.id)
            let tried = try #require(asked.first)
            let newest = ids.filter { $0 != tried }.map(lab.world.truth).sorted { occurred($0) > occurred($1) }.map(
                \.id)
            #expect(Array(asked.dropFirst()) == newest)
            try await worker.stop()
        }
    }

    /// An answer without the part said nothing, so its arrival is all there is to notice; by the next worker, too.
    @Test(.timeLimit(.minutes(5)), arguments: [false, true])
    func whatWasLeftOutFillsOnceItArrives(_ isRestarted: Bool) async throws {
        var switches = Switches()
        switches.missingExpandScope = .leaveOut
        try await ScopeLab.run(without: ["contacts:read", "users:read"], switches: switches) { lab in
            var worker = try await lab.worker()
            try await lab.insert(lab.ids(0..<30))
            try await lab.drained()
            #expect(try await lab.gaps() == ["contacts not_delivered": 30, "owner not_delivered": 30])
            #expect(try await lab.database.count("SELECT count(*) FROM scope_denials") == 0)
            if isRestarted {
                try await worker.stop()
                worker = try await lab.worker()
            }
            lab.world.clearJournal()
            lab.world.grant("contacts:read")
            // The worker that was started just now looks once a second.
            try await eventually("contacts are back") {
                try await lab.insert(lab.ids(30..<31))
                try await lab.drained()
                return try await lab.gaps()["contacts"] == nil && !worker.log.records(of: .scopeGranted).isEmpty
            }
            try await lab.database.wait(
                for: "SELECT count(*) FROM engagement_gaps WHERE part = 'contacts'", toBe: "0")
            try await lab.drained()
            #expect(worker.log.records(of: .scopeGranted).map { $0.fields[.part] } == ["contacts"])
            #expect(try await lab.gaps() == ["owner not_delivered": 31])
            #expect(lab.ids(0..<30).allSatisfy { lab.world.requestCount(for: $0) == 1 })
            try await worker.stop()
        }
    }

    /// The part of some engagements never comes, while others have it: each is asked for again three times, and no more.
    @Test(.timeLimit(.minutes(5))) func aPartThatIsMissingForEverIsNotAskedForForEver() async throws {
        try await ScopeLab.run { lab in
            let worker = try await lab.worker()
            let lacking = (0..<10).map { "ngmt_Lacking\($0)" }
            for (number, id) in lacking.enumerated() {
                let document = TruthDocument(id).with(["contacts": number % 2 == 0 ? "null" : nil])
                lab.world.override(id, .json(document.json))
            }
            var others = 0
            for round in 0..<5 {
                try await lab.insert(Array(lacking[(round * 2)..<(round * 2 + 2)]))
                for _ in 0..<3 {
                    try await lab.insert(lab.ids(others..<others + 20))
                    others += 20
                    try await lab.drained()
                }
            }
            // Every arrival counts as one after a quarter of an hour.
            try await eventually(within: .seconds(50), "each was given up") {
                try await lab.database.run(
                    """
                    UPDATE scope_grants SET granted_at = now() - interval '20 minutes'
                    WHERE NOT EXISTS (SELECT FROM fillable('default', ARRAY['contacts'], 1))
                    """)
                try await lab.insert(lab.ids(others..<others + 1))
                others += 1
                try await lab.drained()
                return try await lab.database.count(
                    "SELECT count(*) FROM engagement_gaps WHERE part = 'contacts' AND _refills = 3") == 10
            }
            for number in 0..<3 {
                try await lab.database.run("UPDATE scope_grants SET granted_at = now() - interval '20 minutes'")
                try await lab.insert(lab.ids(others + number..<others + number + 1))
                try await lab.drained()
            }
            let requests = lacking.map { lab.world.requestCount(for: $0) }
            #expect(requests.allSatisfy { $0 == 4 }, "\(requests)")
            #expect(try await lab.gaps() == ["contacts not_delivered": 10])
            print("\(worker.log.records(of: .scopeGranted).count) times granted for 10 that lack it")
            #expect(lab.world.totalRequests <= others + 3 + 4 * 10)
            try await worker.stop()
        }
    }

    /// Two thousand are queued in slices; what one worker began another goes on with.
    @Test(.timeLimit(.minutes(5))) func theNextWorkerGoesOnWithARefill() async throws {
        try await ScopeLab.run(without: ["contacts:read"]) { lab in
            let first = try await lab.worker()
            try await lab.insert(lab.ids(0..<2_000))
            try await lab.drained()
            lab.world.grant("contacts:read")
            try await lab.recheck()
            try await eventually("under way") { try await lab.database.count(Self.gaps) < 1_900 }
            try await first.stop()
            let left = try await lab.database.count(Self.gaps)
            #expect(left > 0)
            let before = lab.world.totalRequests
            let second = try await lab.worker()
            try await lab.filled()
            try await lab.drained()
            print("\(left) of 2000 gaps were left to the second worker")
            #expect(lab.world.totalRequests - before == left)
            #expect(second.log.records(of: .scopeGranted).isEmpty)
            try await second.stop()
        }
    }

    @Test(.timeLimit(.minutes(5))) func aRecheckOfAnEmptyQueueMakesItsOwnJob() async throws {
        try await ScopeLab.run(without: ["contacts:read", "companies:read"]) { lab in
            let worker = try await lab.worker()
            try await lab.insert(lab.ids(0..<20))
            try await lab.drained()
            lab.world.clearJournal()
            let start = lab.world.totalRequests
            lab.world.grant("companies:read")
            try await lab.recheck()
            try await eventually("companies are back") { !worker.log.records(of: .scopeGranted).isEmpty }
            // Contacts are tried by a job of their own, and told apart.
            try await lab.database.wait(
                for: "SELECT count(*) FROM scope_denials WHERE next_probe_at > now() + interval '50 min'", toBe: "1")
            try await lab.database.wait(
                for: "SELECT count(*) FROM engagement_gaps WHERE part = 'companies'", toBe: "0")
            try await lab.drained()
            #expect(try await lab.gaps() == ["contacts scope_denied": 20])
            #expect(worker.log.records(of: .scopeGranted).map { $0.fields[.part] } == ["companies"])
            // One each for what was filled, and a try of contacts: with them and without.
            print("\(lab.world.totalRequests - start) requests")
            #expect(lab.world.totalRequests - start <= 20 + 2)
            try await worker.stop()
        }
    }

    /// The part was tried with an engagement that is not ready, and is looked at again in an hour.
    @Test func aLookThatWaitsHoldsUpNoProbe() async throws {
        try await ScopeLab.run(without: ["contacts:read"]) { lab in
            let worker = try await lab.worker()
            let id = lab.world.id(1)
            try await lab.insert([id])
            try await lab.drained()
            try await lab.database.run(
                """
                INSERT INTO enrichment_queue (engagement_id, reason, priority, available_at)
                VALUES ('\(id)', 'not_ready', -1, now() + interval '1 hour');
                UPDATE credentials SET _probe_id = '\(id)'
                """)
            lab.world.grant("contacts:read")
            try await lab.recheck()
            try await lab.filled(within: .seconds(20))
            try await worker.stop()
        }
    }

    @Test(.timeLimit(.minutes(5))) func whatIsRevokedInMidRefillFillsAfterTheNextGrant() async throws {
        try await ScopeLab.run(without: ["contacts:read"]) { lab in
            let worker = try await lab.worker { $0.concurrency = 8 }
            try await lab.insert(lab.ids(0..<500))
            try await lab.drained()
            // Slowly, so that there is something left when it is noticed.
            lab.world.setLatency(.milliseconds(60))
            lab.world.grant("contacts:read")
            try await lab.recheck()
            try await eventually("under way") { try await lab.database.count(Self.gaps) < 400 }
            lab.world.revoke("contacts:read")
            lab.world.setLatency(.milliseconds(20))
            try await lab.drained()
            let left = try await lab.database.count(Self.gaps)
            #expect(left > 100)
            #expect(try await lab.gaps() == ["contacts scope_denied": left])
            #expect(try await lab.database.count("SELECT count(*) FROM scope_denials") == 1)
            // What was filled before stays.
            let stored = try await lab.database.count("SELECT count(DISTINCT engagement_id) FROM engagement_contacts")
            #expect(stored == 500 - left)

            let before = lab.world.totalRequests
            lab.world.grant("contacts:read")
            try await lab.recheck()
            try await lab.filled()
            try await lab.drained()
            #expect(lab.world.totalRequests - before <= left + 1)
            #expect(worker.log.records(of: .scopeGranted).count == 2)
            #expect(worker.log.records(of: .scopeDenied).count == 2)
            try await worker.stop()
        }
    }

    private func occurred(_ engagement: SimEngagement) -> Int64 {
        (engagement.startAt ?? engagement.engagementAt ?? engagement.createdAt).milliseconds
    }
}
