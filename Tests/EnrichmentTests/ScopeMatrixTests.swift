import AskElephant
import Enrichment
import Simulator
import TestKit
import Testing

/// What a token may read, how the API refuses the rest, and what is private, in many combinations: gaps are exactly the
/// parts that the token may not read.
@Suite(.serialized) struct ScopeMatrixTests {
    @Test(.timeLimit(.minutes(5))) func gapsAreExactlyThePartsThatTheTokenMayNotRead() async throws {
        let seed = TruthSeed.draw("gapsAreExactlyThePartsThatTheTokenMayNotRead")
        let cases = ScopeCase.draw(56, seed: seed)
        try await ScopeLab.run(seed: seed) { lab in
            let matrix = ScopeMatrix(lab.database.configuration(), lab.simulator) { [database = lab.database] sql in
                try await database.run(sql)
            }
            for (number, one) in cases.enumerated() {
                let played = try await matrix.play(one, number)
                try await check(gaps: played, matrix)
                try await check(denials: played, matrix)
                try await check(parts: played, matrix)
                try await check(hidden: played, matrix)
                check(requests: played)
            }
            print("\(cases.count) cases, \(lab.world.totalRequests) requests")
        }
    }

    /// All go at once while 64 requests are out, and every twentieth engagement is refused for another reason.
    @Test(
        .timeLimit(.minutes(5)),
        arguments: [Switches.ForbiddenStyle.generic, .allRequiredInDetail, .firstMissingInDetail, .scopeInErrors])
    func threeScopesThatGoInMidRunCostWhatIsInFlight(_ style: Switches.ForbiddenStyle) async throws {
        var switches = Switches()
        switches.forbiddenStyle = style
        try await ScopeLab.run(without: ["engagements:private:read"], switches: switches) { lab in
            lab.world.setLatency(.milliseconds(10))
            let ids = lab.ids(0..<1_500)
            let hidden = ids.enumerated().filter { $0.offset % 20 == 7 }.map(\.element)
            for id in hidden { lab.world.setPrivate(id) }
            let worker = try await lab.worker()
            try await lab.insert(ids)
            try await lab.world.waitForRequests(total: 500)
            for scope in ScopeCase.gated { lab.world.revoke(scope) }
            try await lab.drained()
            let counts = Dictionary(grouping: lab.world.requests.compactMap(\.id)) { $0 }.mapValues(\.count)
            let readable = ids.filter { !hidden.contains($0) }
            let requests = readable.map { counts[$0] ?? 0 }.reduce(0, +)
            print("\(style.rawValue): \(requests - readable.count) requests more")
            // One that is private may be the first to look into it, and tell nothing: then some more go out in vain.
            #expect(requests <= readable.count + 2 * 64)
            #expect(hidden.allSatisfy { counts[$0] ?? 0 <= 6 })
            let gaps = try await lab.gaps()
            #expect(Set(gaps.keys) == ["companies scope_denied", "contacts scope_denied", "owner scope_denied"])
            #expect(Set(gaps.values).count == 1)
            #expect(worker.log.records(of: .scopeDenied).count == 3)
            let dead = try await lab.database.count("SELECT count(*) FROM dead_letters WHERE cause = 'private'")
            #expect(dead == hidden.count)
            #expect(worker.log.records(of: .credentialInvalid).isEmpty && worker.log.done(.retry).isEmpty)
            try await worker.stop()
        }
    }

    private func check(gaps played: ScopeMatrix.Played, _ matrix: ScopeMatrix) async throws {
        let cause = played.one.missingExpandScope == .refuse ? "scope_denied" : "not_delivered"
        let expected = played.readable.flatMap { id in played.one.unreadable.map { "\(id) \($0) \(cause)" } }
        let found = try await matrix.texts(
            "SELECT engagement_id || ' ' || part || ' ' || cause FROM engagement_gaps WHERE cause <> 'not_ready'")
        #expect(found == expected.sorted(), "\(played.one)")
        let outcome: JobDone.Outcome = expected.isEmpty ? .enriched : .partial
        #expect(played.log.done(outcome).count == played.readable.count, "\(played.one)")
        #expect(played.log.done(.retry).isEmpty, "\(played.one)")
    }

    private func check(denials played: ScopeMatrix.Played, _ matrix: ScopeMatrix) async throws {
        let denied = played.one.missingExpandScope == .refuse ? played.one.unreadable.sorted() : []
        #expect(try await matrix.texts("SELECT part FROM scope_denials") == denied, "\(played.one)")
        let logged = played.log.records(of: .scopeDenied).map { "\($0.fields[.part] ?? .null)" }
        #expect(logged.sorted() == denied.map { "\(LogValue.string($0))" }, "\(played.one)")
        let evidence = Set(try await matrix.texts("SELECT evidence_id FROM scope_denials"))
        #expect(evidence.isSubset(of: played.readable), "\(played.one)")
        // A worker that lived for less than a second may not have said yet that it is well.
        let state = try await matrix.texts("SELECT state FROM credentials")
        #expect(state == ["ok"] || state == ["unknown"], "\(played.one)")
    }

    /// What is not missing is as the source has it, and what is missing left nothing behind.
    private func check(parts played: ScopeMatrix.Played, _ matrix: ScopeMatrix) async throws {
        let truth = played.readable.map(matrix.world.truth)
        let tables: [(part: String, sql: String, count: (SimEngagement) -> Int)] = [
            ("companies", "engagement_companies", \.companies.count),
            ("contacts", "engagement_contacts", \.contacts.count),
            ("action_items", "engagement_action_items", \.actionItems.count),
            ("signals", "engagement_signals", \.signals.count), ("tags", "engagement_tags", \.tags.count),
            ("transcript", "engagement_transcripts WHERE transcript IS NOT NULL", { $0.transcript == nil ? 0 : 1 }),
            ("media_url", "engagement_media WHERE media_url IS NOT NULL", { $0.mediaURL == nil ? 0 : 1 }),
            (
                "owner",
                "(SELECT e.id AS engagement_id FROM engagements AS e JOIN users AS u ON u.id = e.owner_user_id) AS o",
                { $0.owner == nil ? 0 : 1 }
            ),
        ]
        for table in tables {
            let isMissing = played.one.unreadable.contains(table.part)
            let expected = isMissing ? [] : truth.map { ($0.id, table.count($0)) }.filter { $0.1 > 0 }
            let found = try await matrix.counts("SELECT engagement_id, count(*)::text FROM \(table.sql) GROUP BY 1")
            #expect(found == Dictionary(uniqueKeysWithValues: expected), "\(table.part): \(played.one)")
        }
        let delivered = try await matrix.texts("SELECT id || ' ' || p FROM engagements, jsonb_object_keys(_parts) AS p")
        let expected = truth.flatMap { engagement in
            SimPart.allCases.map(\.rawValue).filter { part in
                !played.one.unreadable.contains(part) && !(part == "transcript" && engagement.mayGetTranscript)
            }.map { "\(engagement.id) \($0)" }
        }
        #expect(delivered == expected.sorted(), "\(played.one)")
    }

    private func check(hidden played: ScopeMatrix.Played, _ matrix: ScopeMatrix) async throws {
        #expect(try await matrix.texts("SELECT id FROM engagements") == played.readable.sorted(), "\(played.one)")
        let cause = played.one.privateWithoutScope == .forbidden ? "private" : "not_found"
        let dead = try await matrix.texts("SELECT key || ' ' || cause FROM dead_letters")
        #expect(dead == played.hidden.map { "\($0) \(cause)" }.sorted(), "\(played.one)")
        #expect(played.log.records(of: .credentialInvalid).isEmpty, "\(played.one)")
    }

    /// One engagement may cost what finding out costs; each other one request, and one more where it met the news.
    private func check(requests played: ScopeMatrix.Played) {
        var counts: [String: Int] = [:]
        for request in played.requests { if let id = request.id { counts[id, default: 0] += 1 } }
        let readable = played.readable.map { counts[$0] ?? 0 }.sorted()
        #expect(readable.last! <= ScopeFallback.requestLimit(8), "\(played.one)")
        #expect(readable.dropLast().allSatisfy { $0 == 1 || $0 == 2 }, "\(readable) \(played.one)")
        #expect(readable.dropLast().reduce(0, +) <= readable.count, "\(readable) \(played.one)")
        // Refused: with all, without what is named, without what needs a scope, with nothing. Not found: five looks.
        #expect(played.hidden.allSatisfy { counts[$0]! <= 5 }, "\(counts) \(played.one)")
        #expect(played.requests.count(where: \.isList) <= played.hidden.count, "\(played.one)")
        if played.one.missingExpandScope == .leaveOut { #expect(readable.last == 1, "\(played.one)") }
    }
}
