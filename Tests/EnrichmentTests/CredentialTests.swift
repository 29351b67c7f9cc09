import Enrichment
import Simulator
import TestKit
import Testing

/// A token that the API does not take: nothing is claimed or charged, nobody hammers, and work goes on by itself.
@Suite(.serialized) struct CredentialTests {
    @Test(.timeLimit(.minutes(5))) func workStopsUnchargedAndGoesOnWithAnotherToken() async throws {
        try await ScopeLab.run { lab in
            lab.world.setLatency(.milliseconds(20))
            let worker = try await lab.worker { configuration in
                configuration.concurrency = 16
                configuration.heartbeatInterval = .milliseconds(100)
            }
            try await lab.insert(lab.ids(0..<2_000))
            try await lab.world.waitForRequests(total: 300)
            lab.world.invalidate(ScopeLab.token)
            try await eventually("invalid") { !worker.log.records(of: .credentialInvalid).isEmpty }
            try await lab.database.wait(
                for: "SELECT count(*) FROM enrichment_queue WHERE leased_by IS NOT NULL", toBe: "0")

            let claims = try await lab.database.value("SELECT sum(claims)::text FROM enrichment_queue")
            let requests = lab.world.totalRequests
            try await worker.log.beats(15)
            #expect(try await lab.database.value("SELECT sum(claims)::text FROM enrichment_queue") == claims)
            #expect(lab.world.totalRequests == requests)
            for beat in worker.log.records(of: .workerHeartbeat).suffix(10) {
                #expect(beat.fields[.verdict] == "blocked" && beat.fields[.credential] == "invalid")
            }

            let before = try await lab.database.count("SELECT count(*) FROM engagements")
            lab.replaceToken("sk-apik_lab.second")
            let start = ContinuousClock.now
            try await eventually(within: .seconds(2), "work goes on") {
                try await lab.database.count("SELECT count(*) FROM engagements") > before
            }
            print("work went on \(ContinuousClock.now - start) after the change")
            try await lab.drained()
            try await worker.log.beats(2)
            #expect(worker.log.records(of: .workerHeartbeat).last?.fields[.credential] == "ok")
            #expect(try await lab.database.count("SELECT count(*) FROM engagements") == 2_000)
            #expect(lab.refusals(401) <= 16 + 1)
            #expect(lab.refusals(401) > 0)
            expectNobodyCharged(worker)
            #expect(worker.log.records(of: .credentialRestored).count == 1)
            let invalid = worker.log.records(of: .credentialInvalid)
            #expect(invalid.count == 1)
            #expect(invalid.first?.level == .error && invalid.first?.fields[.cause] == "refused")
            let hint = "\(invalid.first?.fields[.hint] ?? .null)"
            #expect(hint.contains("ASKELEPHANT_TOKEN_FILE"))
            try await worker.stop()
        }
    }

    /// One request of all workers each time that it is due, and none before.
    @Test(.timeLimit(.minutes(5))) func anUnchangedTokenIsTriedOnceEachTimeByAllWorkers() async throws {
        try await ScopeLab.run { lab in
            func worker() async throws -> TestWorker {
                try await lab.worker { $0.heartbeatInterval = .milliseconds(100) }
            }
            let workers = [try await worker(), try await worker()]
            try await lab.insert(lab.ids(0..<10))
            try await lab.drained()
            // Both have seen that it is well.
            try await lab.database.wait(for: "SELECT state FROM credentials", toBe: "ok")
            for worker in workers { try await worker.log.beats(15) }
            lab.world.invalidate(ScopeLab.token)
            try await lab.insert(lab.ids(100..<110))
            for worker in workers {
                try await eventually("both know") { !worker.log.records(of: .credentialInvalid).isEmpty }
            }
            // What either had sent before it knew is answered: nothing of that is counted below.
            try await lab.database.wait(
                for: "SELECT count(*) FROM enrichment_queue WHERE leased_by IS NOT NULL", toBe: "0")
            // The next try is half a minute away.
            let next = "SELECT count(*) FROM credentials WHERE next_probe_at > now() + interval '15 seconds'"
            try await lab.database.wait(for: next, toBe: "1")
            let soon = "SELECT count(*) FROM credentials WHERE next_probe_at > now() + interval '31 seconds'"
            #expect(try await lab.database.count(soon) == 0)

            for _ in 0..<2 {
                let before = lab.world.totalRequests
                try await due(lab)
                try await eventually("tried") { lab.world.totalRequests > before }
                try await lab.database.wait(for: next, toBe: "1")
                // Both look once a second.
                for worker in workers { try await worker.log.beats(15) }
                #expect(lab.world.totalRequests == before + 1)
            }
            let before = lab.world.totalRequests
            lab.world.validate(ScopeLab.token)
            for worker in workers { try await worker.log.beats(15) }
            #expect(lab.world.totalRequests == before)
            try await due(lab)
            try await lab.database.wait(for: "SELECT count(*) FROM engagements", toBe: "20")
            for worker in workers {
                try await eventually("restored") { worker.log.records(of: .credentialRestored).count == 1 }
            }
            #expect(lab.world.totalRequests == before + 11)
            for worker in workers {
                #expect(worker.log.records(of: .credentialInvalid).count == 1)
                expectNobodyCharged(worker)
                try await worker.stop()
            }
        }
    }

    @Test(.timeLimit(.minutes(5))) func aTokenThatIsMissingAtTheStartIsWaitedFor() async throws {
        try await ScopeLab.run { lab in
            lab.file.token = ""
            let worker = try await lab.worker { $0.heartbeatInterval = .milliseconds(100) }
            try await lab.insert(lab.ids(0..<10))
            try await worker.log.beats(15)
            #expect(lab.world.totalRequests == 0)
            #expect(try await lab.database.count("SELECT coalesce(sum(claims), 0) FROM enrichment_queue") == 0)
            #expect(worker.log.records(of: .workerHeartbeat).last?.fields[.verdict] == "blocked")
            let start = ContinuousClock.now
            lab.file.token = ScopeLab.token
            try await lab.database.wait(for: "SELECT count(*) FROM engagements", toBe: "10")
            print("first rows \(ContinuousClock.now - start) after the token came")
            #expect(worker.log.records(of: .credentialInvalid).map { $0.fields[.cause] } == ["missing"])
            #expect(worker.log.records(of: .credentialRestored).count == 1)
            #expect(lab.refusals(401) == 0)
            try await worker.stop()
        }
    }

    /// It goes and comes back as it was: no request is wasted on it.
    @Test(.timeLimit(.minutes(5))) func aFileThatIsEmptyForAWhileCostsNothing() async throws {
        try await ScopeLab.run { lab in
            let worker = try await lab.worker()
            try await lab.insert(lab.ids(0..<10))
            try await lab.drained()
            try await lab.database.wait(for: "SELECT state FROM credentials", toBe: "ok")
            lab.file.token = "two words\nand lines"
            try await eventually("missing") { worker.log.records(of: .credentialInvalid).count == 1 }
            try await lab.insert(lab.ids(10..<20))
            lab.file.token = ScopeLab.token
            try await lab.database.wait(for: "SELECT count(*) FROM engagements", toBe: "20")
            #expect(worker.log.records(of: .credentialRestored).count == 1)
            #expect(lab.refusals(401) == 0)
            expectNobodyCharged(worker)
            try await worker.stop()
        }
    }

    /// The page that tells may be late; nobody else asks for an engagement meanwhile.
    @Test(.timeLimit(.minutes(5))) func aMissingBaseScopeIsNoticedOnASlowAPI() async throws {
        try await ScopeLab.run(without: ["engagements:read"]) { lab in
            lab.world.setLatency(.milliseconds(900))
            try await lab.insert(lab.ids(0..<50))
            let worker = try await lab.worker()
            try await eventually("invalid") { !worker.log.records(of: .credentialInvalid).isEmpty }
            #expect(lab.world.totalRequests <= 5)
            try await worker.stop()
        }
    }

    /// Whatever the refusal says: it takes one engagement and a page to find out, and no part is blamed.
    @Test(.timeLimit(.minutes(5)), arguments: Switches.ForbiddenStyle.allCases)
    func aMissingBaseScopeIsNoticedAndItsGrantToo(_ style: Switches.ForbiddenStyle) async throws {
        var switches = Switches()
        switches.forbiddenStyle = style
        try await ScopeLab.run(without: ["engagements:read"], switches: switches) { lab in
            try await lab.insert(lab.ids(0..<50))
            let worker = try await lab.worker()
            try await eventually("invalid") { !worker.log.records(of: .credentialInvalid).isEmpty }
            try await lab.database.wait(
                for: "SELECT count(*) FROM enrichment_queue WHERE leased_by IS NULL AND attempts = 0", toBe: "50")
            // The first engagement and the page take four; until the page is there another one may be asked for.
            #expect(lab.world.totalRequests <= 8)
            #expect(try await lab.database.value("SELECT state FROM credentials") == "forbidden")
            let before = lab.world.totalRequests
            lab.world.grant("engagements:read")
            worker.worker.recheck()
            try await lab.database.wait(for: "SELECT count(*) FROM engagements", toBe: "50", within: .seconds(15))
            #expect(lab.world.totalRequests <= before + 51)
            #expect(worker.log.records(of: .credentialInvalid).count == 1)
            #expect(worker.log.records(of: .credentialRestored).count == 1)
            #expect(worker.log.records(of: .scopeDenied).isEmpty)
            #expect(try await lab.database.count("SELECT count(*) FROM scope_denials") == 0)
            #expect(try await lab.database.count("SELECT count(*) FROM dead_letters") == 0)
            expectNobodyCharged(worker)
            try await worker.stop()
        }
    }

    /// What SIGHUP does.
    @Test(.timeLimit(.minutes(5))) func aRecheckTriesDeniedPartsAndARefusedToken() async throws {
        try await ScopeLab.run(without: ["contacts:read", "users:read"]) { lab in
            let worker = try await lab.worker { $0.heartbeatInterval = .milliseconds(100) }
            try await lab.insert(lab.ids(0..<20))
            try await lab.drained()
            try await worker.log.beats(2)
            let beat = worker.log.records(of: .workerHeartbeat).last
            #expect(beat?.fields[.partsDenied] == .strings(["contacts", "owner"]))
            #expect(try await lab.gaps() == ["contacts scope_denied": 20, "owner scope_denied": 20])
            lab.world.grant("contacts:read")
            lab.world.grant("users:read")
            worker.worker.recheck()
            try await lab.filled()
            #expect(worker.log.records(of: .scopeGranted).count == 2)
            try await worker.log.beats(2)
            #expect(worker.log.records(of: .workerHeartbeat).last?.fields[.partsDenied] == .strings([]))

            lab.world.invalidate(ScopeLab.token)
            try await lab.insert(lab.ids(20..<30))
            try await eventually("invalid") { !worker.log.records(of: .credentialInvalid).isEmpty }
            try await lab.database.wait(for: "SELECT state FROM credentials", toBe: "refused")
            lab.world.validate(ScopeLab.token)
            worker.worker.recheck()
            try await lab.database.wait(for: "SELECT count(*) FROM engagements", toBe: "30", within: .seconds(10))
            try await worker.stop()
        }
    }

    // MARK: -

    private func due(_ lab: ScopeLab) async throws {
        try await lab.database.run("UPDATE credentials SET next_probe_at = now()")
    }

    private func expectNobodyCharged(_ worker: TestWorker, sourceLocation: SourceLocation = #_sourceLocation) {
        let done = worker.log.records(of: .jobDone)
        #expect(done.allSatisfy { $0.fields[.attempt] == 0 }, sourceLocation: sourceLocation)
        #expect(worker.log.done(.retry).isEmpty && worker.log.done(.dead).isEmpty, sourceLocation: sourceLocation)
    }
}
