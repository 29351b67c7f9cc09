import Enrichment
import Postgres
import Simulator
import TestKit
import Testing

/// A token that is replaced by another, as OAuth does each hour: what may have changed is tried with few requests.
@Suite(.serialized) struct TokenChangeTests {
    private static let scopes: Set<String> = ["engagements:read", "users:read"]

    /// Two parts denied, five engagements private, five not found, all known to the first token.
    private func run(_ test: (ScopeLab, TestWorker, _ hidden: [String], _ missing: [String]) async throws -> Void)
        async throws
    {
        try await ScopeLab.run { lab in
            lab.world.setToken(ScopeLab.token, scopes: Self.scopes)
            let (hidden, missing) = (lab.ids(0..<5), lab.ids(5..<10))
            for id in hidden { lab.world.setPrivate(id) }
            for id in missing { lab.world.setMissing(id) }
            let worker = try await lab.worker { configuration in
                configuration.concurrency = 8
                configuration.pollInterval = .milliseconds(50)
            }
            try await lab.insert(lab.ids(0..<60))
            try await lab.dead(10)
            try await lab.database.wait(for: "SELECT count(*) FROM engagements", toBe: "50")
            try await lab.database.wait(for: "SELECT state FROM credentials", toBe: "ok")
            #expect(try await lab.gaps() == ["companies scope_denied": 50, "contacts scope_denied": 50])
            try await test(lab, worker, hidden, missing)
            try await worker.stop()
        }
    }

    @Test(.timeLimit(.minutes(5))) func eachChangeTriesEachDeniedPartOnceAndOneDeadLetterOfEachKind() async throws {
        try await run { lab, worker, hidden, missing in
            lab.world.setLatency(.milliseconds(20))
            for change in 1...4 {
                lab.world.clearJournal()
                let ordinary = lab.ids(change * 1_000..<change * 1_000 + 600)
                try await lab.insert(ordinary)
                try await lab.world.waitForRequest(ordinary[100])
                let times = try await deaths(lab)
                lab.replaceToken("sk-apik_lab.change\(change)", scopes: Self.scopes)
                try await eventually(within: .seconds(120), "both died again") {
                    try await deaths(lab).filter { times[$0.key] != $0.value }.count == 2
                }
                try await lab.drained()
                // Each is put off for an hour once it was tried.
                try await lab.database.wait(
                    for: "SELECT count(*) FROM scope_denials WHERE next_probe_at > now() + interval '50 min'", toBe: "2"
                )

                let now = try await deaths(lab)
                let again = now.filter { times[$0.key] != $0.value }
                #expect(again.keys.filter { hidden.contains($0) }.count == 1)
                #expect(again.keys.filter { missing.contains($0) }.count == 1)
                for (id, count) in again { #expect(count == (times[id] ?? 0) + 1) }
                try await eventually("their lines") { replays(worker).count >= change * 2 }
                let replayed = replays(worker).suffix(2)
                #expect(Set(replayed) == Set(again.keys))
                #expect(replays(worker).count == change * 2, "nothing else was replayed")
                // The others: one request each, and one more for each part that was tried. The private one costs at most
                // five and a page, the one that is not found one.
                let others = lab.world.requests.filter { request in
                    request.id.map { !again.keys.contains($0) } ?? false
                }
                #expect(Set(others.compactMap(\.id)) == Set(ordinary))
                #expect(others.count <= ordinary.count + 2, "change \(change)")
                #expect(lab.world.requests.count <= ordinary.count + 9, "change \(change)")
            }
            // Another one each time: the one that was tried longest ago.
            #expect(Set(replays(worker)).count == 8)
            #expect(worker.log.records(of: .scopeDenied).count == 2)
            #expect(worker.log.records(of: .scopeGranted).isEmpty)
            #expect(worker.log.records(of: .credentialInvalid).isEmpty)
        }
    }

    /// While nothing else is to be done the parts are tried by jobs that are made for it.
    @Test(.timeLimit(.minutes(5))) func anIdleWorkerTriesWithOneJobForEachPart() async throws {
        try await run { lab, worker, _, _ in
            lab.world.clearJournal()
            let times = try await deaths(lab)
            lab.replaceToken("sk-apik_lab.idle", scopes: Self.scopes)
            try await lab.database.wait(
                for: "SELECT count(*) FROM scope_denials WHERE next_probe_at > now() + interval '50 min'", toBe: "2")
            try await eventually("both died again") {
                try await deaths(lab).filter { times[$0.key] != $0.value }.count == 2
            }
            try await lab.drained()
            let tries = worker.log.records(of: .jobDone).filter { $0.fields[.reason] == "scope_probe" }
            // One may have to go ahead for comparison when the private one is refused, and try nothing.
            #expect(tries.count <= 3)
            try await eventually("their lines") { replays(worker).count >= 2 }
            #expect(replays(worker).count == 2)
            // Two replays, at most five requests and a page; two tries of two.
            print("an idle change cost \(lab.world.requests.count) requests")
            #expect(lab.world.requests.count <= 12)
        }
    }

    @Test(.timeLimit(.minutes(5))) func aSuccessReleasesTheRestOfItsCauseAndOnlyThat() async throws {
        try await run { lab, worker, hidden, missing in
            lab.world.clearJournal()
            lab.replaceToken("sk-apik_lab.wide", scopes: Self.scopes.union(["engagements:private:read"]))
            try await lab.database.wait(for: "SELECT count(*) FROM dead_letters WHERE cause = 'private'", toBe: "0")
            try await lab.drained()
            let stored = "SELECT count(*) FROM engagements WHERE id IN ('\(hidden.joined(separator: "','"))')"
            #expect(try await lab.database.count(stored) == 5)
            try await lab.database.wait(for: "SELECT cardinality(_releasing) FROM credentials", toBe: "0")
            #expect(try await lab.database.count("SELECT count(*) FROM dead_letters WHERE cause = 'not_found'") == 5)
            let asked = missing.map { lab.world.requestCount(for: $0) }
            #expect(asked.reduce(0, +) == 1)
            try await eventually("their lines") { replays(worker).count >= 6 }
            #expect(replays(worker).count == 6)
        }
    }

    /// Both see the new token in the same second.
    @Test(.timeLimit(.minutes(5))) func twoWorkersTryNoMoreThanOne() async throws {
        try await run { lab, first, hidden, missing in
            let second = try await lab.worker { $0.concurrency = 8 }
            lab.world.setLatency(.milliseconds(20))
            lab.world.clearJournal()
            let ordinary = lab.ids(1_000..<1_800)
            try await lab.insert(ordinary)
            try await lab.world.waitForRequest(ordinary[50])
            let times = try await deaths(lab)
            lab.replaceToken("sk-apik_lab.both", scopes: Self.scopes)
            try await eventually("both died again") {
                try await deaths(lab).filter { times[$0.key] != $0.value }.count == 2
            }
            try await lab.drained()
            // The line follows the commit.
            try await eventually("their lines") { replays(first).count + replays(second).count >= 2 }
            let replayed = replays(first) + replays(second)
            #expect(replayed.filter { hidden.contains($0) }.count == 1)
            #expect(replayed.filter { missing.contains($0) }.count == 1)
            let others = lab.world.requests.filter { request in
                request.id.map { !replayed.contains($0) } ?? false
            }
            #expect(others.count <= ordinary.count + 2)
            #expect((first.log.records + second.log.records).count { $0.event == .scopeDenied } == 2)
            try await second.stop()
        }
    }

    /// Nobody acts, and nothing else is to be done.
    @Test(.timeLimit(.minutes(5))) func aTokenThatMayReadMoreFillsTheGapsByItself() async throws {
        try await run { lab, worker, hidden, missing in
            lab.world.clearJournal()
            lab.replaceToken("sk-apik_lab.more", scopes: Self.scopes.union(["contacts:read"]))
            try await lab.database.wait(for: "SELECT count(*) FROM engagement_gaps WHERE part = 'contacts'", toBe: "0")
            try await lab.drained()
            #expect(worker.log.records(of: .scopeGranted).map { $0.fields[.part] } == ["contacts"])
            #expect(try await lab.gaps() == ["companies scope_denied": 50])
            #expect(try await lab.database.value("SELECT string_agg(part, ',') FROM scope_denials") == "companies")
            let others = lab.world.requests.filter { request in
                request.id.map { !hidden.contains($0) && !missing.contains($0) } ?? false
            }
            // Each once; a job of its own for companies, with them and without; and one that went ahead for comparison.
            print("\(others.count) requests filled 50")
            #expect(others.count <= 53)
        }
    }

    /// An engagement that is private no more, and that somebody queued, is no sign of another token.
    @Test(.timeLimit(.minutes(5))) func anotherJobsSuccessReleasesNothing() async throws {
        try await run { lab, worker, hidden, _ in
            lab.world.setPrivate(hidden[0], false)
            try await lab.insert([hidden[0]])
            try await lab.database.wait(for: "SELECT count(*) FROM dead_letters WHERE cause = 'private'", toBe: "4")
            try await lab.drained()
            #expect(try await lab.database.count("SELECT cardinality(_releasing) FROM credentials") == 0)
            #expect(replays(worker).isEmpty)
        }
    }

    /// More than a slice of them wait for a day that somebody chose: they are left alone, and stand before nobody.
    @Test(.timeLimit(.minutes(5))) func deadLettersThatAreQueuedStandBeforeNoOthers() async throws {
        try await run { lab, worker, hidden, missing in
            let put = lab.ids(10_000..<11_100)
            for id in put { lab.world.setPrivate(id) }
            try await lab.database.run(
                """
                INSERT INTO dead_letters (key, engagement_id, cause, first_at, last_at)
                SELECT id, id, 'private', now() - interval '2 days', now() - interval '2 days'
                FROM unnest(ARRAY['\(put.joined(separator: "','"))']) AS id;
                INSERT INTO enrichment_queue (engagement_id, available_at)
                SELECT key, now() + interval '1 day' FROM dead_letters WHERE last_at < now() - interval '1 day'
                """)
            lab.replaceToken("sk-apik_lab.wide", scopes: Self.scopes.union(["engagements:private:read"]))
            let stored = "SELECT count(*) FROM engagements WHERE id IN ('\(hidden.joined(separator: "','"))')"
            try await lab.database.wait(for: stored, toBe: "5")
            try await lab.database.wait(for: "SELECT cardinality(_releasing) FROM credentials", toBe: "0")
            #expect(try await lab.database.count("SELECT count(*) FROM dead_letters WHERE cause = 'private'") == 1_100)
            #expect(
                try await lab.database.count(
                    "SELECT count(*) FROM enrichment_queue WHERE claims = 0 AND reason IS NULL") == 1_100)
            #expect(Set(replays(worker)).isDisjoint(with: put))
        }
    }

    /// By engagement.
    private func deaths(_ lab: ScopeLab) async throws -> [String: Int] {
        var times: [String: Int] = [:]
        for row in try await lab.database.run("SELECT key, times::text AS times FROM dead_letters") {
            times[try row.text("key")] = Int(try row.text("times"))
        }
        return times
    }

    /// The engagements that were tried because of a new token, in order.
    private func replays(_ worker: TestWorker) -> [String] {
        worker.log.records(of: .jobDone).filter { $0.fields[.reason] == "credential_changed" }.compactMap { record in
            if case .string(let id) = record.fields[.engagementID] { id } else { nil }
        }
    }
}
