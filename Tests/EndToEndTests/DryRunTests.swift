import Foundation
import Simulator
import TestKit
import Testing

/// `enrich --dry-run`: the requests of a worker, and what they would change; no write.
struct DryRunTests {
    /// Everything that stands in the tables.
    private static let content = """
        SELECT md5(string_agg(t.table_name || query_to_xml(format('SELECT * FROM %I', t.table_name), true, true, '')::text,
                              '' ORDER BY t.table_name))
        FROM information_schema.tables AS t WHERE t.table_schema = 'askelephant' AND t.table_type = 'BASE TABLE'
        """

    /// As a role that may read and nothing else, for an engagement that is stored and one that is not.
    @Test(arguments: ["table", "json"])
    func writesNothing(_ output: String) async throws {
        try await Stage.run { stage in
            let ids = stage.ids(0..<2)
            stage.world.revoke("contacts:read")
            #expect(try await stage.command(["enrich", ids[0]]).status == 0)
            stage.world.bump(ids[0])
            try await stage.database.withRole { role in
                try await stage.database.run(
                    "GRANT USAGE ON SCHEMA askelephant TO \(role); GRANT SELECT ON ALL TABLES IN SCHEMA askelephant TO \(role)"
                )
                let before = try await stage.database.value(Self.content)
                for database in [stage.database.conninfo(as: role), stage.database.conninfo] {
                    let ended = try await stage.command(
                        ["enrich", "--dry-run", "--output", output] + ids, ["DATABASE_URL": database])
                    #expect(ended.status == 0, "\(ended.errors)")
                    #expect(ended.errors == "")
                    #expect(try await stage.database.value(Self.content) == before)
                    for canary in stage.privateTexts(of: ids) {
                        #expect(!ended.output.contains(canary), "shows \(canary)")
                    }
                }
            }
        }
    }

    @Test func whatIsStoredIsUnchanged() async throws {
        try await Stage.run { stage in
            let id = stage.world.id(1)
            #expect(try await stage.command(["enrich", id]).status == 0)
            let table = try await stage.command(["enrich", "--dry-run", id])
            #expect(table.status == 0)
            #expect(table.output.contains("\nunchanged\n"), "\(table.output)")
            #expect(table.output.contains("/v2/engagements/\(id)?expand="))
            let one = try await stage.dryRun(id)
            #expect(one["result"] as? String == "unchanged")
            #expect((one["requests"] as? [Any])?.count == 1)
        }
    }

    /// What the dry run announces is what the run then does.
    @Test func showsWhatTheNextRunChanges() async throws {
        try await Stage.run(settings: .init()) { stage in
            let id = stage.world.id(1)
            let contacts = """
                SELECT coalesce(string_agg(contact_id, ',' ORDER BY contact_id), '') FROM engagement_contacts
                WHERE engagement_id = '\(id)'
                """
            #expect(try await stage.command(["enrich", id]).status == 0)
            var before = try await stage.database.value(contacts)
            for _ in 0..<5 {
                stage.world.bump(id)
                let one = try await stage.dryRun(id)
                #expect(one["result"] as? String == "changed")
                let fields = try #require(one["fields"] as? [[String: Any]])
                let updated = try #require(fields.first { $0["name"] as? String == "updated_at" })
                #expect(
                    updated["fetched"] as? String == stage.world.truth(id).updatedAt.text(withMilliseconds: false)
                        || updated["fetched"] as? String == stage.world.truth(id).updatedAt.text(withMilliseconds: true)
                )
                #expect(fields.allSatisfy { $0["name"] as? String != "title" || $0["fetched"] is NSNull })
                let part = (one["parts"] as? [[String: Any]])?.first { $0["part"] as? String == "contacts" }
                let added = part?["added"] as? [String] ?? []
                let removed = part?["removed"] as? [String] ?? []
                var expected = Set((before ?? "").split(separator: ",").map(String.init))
                expected = expected.subtracting(removed).union(added)
                #expect(try await stage.command(["enrich", id]).status == 0)
                before = try await stage.database.value(contacts)
                #expect(before == expected.sorted().joined(separator: ","))
            }
        }
    }

    @Test func aLackingScopeIsAGapToBeThatNamesIt() async throws {
        try await Stage.run { stage in
            let id = stage.world.id(1)
            stage.world.revoke("contacts:read")
            let one = try await stage.dryRun(id)
            let requests = try #require(one["requests"] as? [[String: Any]])
            let journal = stage.world.requests(for: id)
            #expect(requests.map { $0["status"] as? Int } == journal.map(\.status))
            #expect(requests.count > 1)
            let denied = try #require((one["denied"] as? [[String: Any]])?.first)
            #expect(denied["part"] as? String == "contacts")
            #expect(denied["scope"] as? String == "contacts:read")
            #expect(requests.contains { $0["request_id"] as? String == denied["request_id"] as? String })
            let gap = try #require((one["gaps"] as? [[String: Any]])?.first { $0["part"] as? String == "contacts" })
            #expect(gap["cause"] as? String == "scope_denied")
            #expect(gap["scope"] as? String == "contacts:read")
            #expect(gap["change"] as? String == "new")
            // Nothing of it was written down, so a worker has to find it out; what a worker wrote down is not asked again.
            #expect(try await stage.command(["enrich", id]).status == 0)
            let known = try await stage.dryRun(id)
            #expect((known["requests"] as? [Any])?.count == 1)
            #expect((known["gaps"] as? [[String: Any]])?.first?["change"] as? String == "same")
            let table = try await stage.command(["enrich", "--dry-run", id, "--color", "always"])
            #expect(table.output.contains("ask for contacts:read"))
            #expect(table.output.contains("\u{1B}["))
        }
    }

    @Test func anOlderAnswerIsSupersededUnlessForced() async throws {
        try await Stage.run { stage in
            let id = stage.world.id(1)
            let answer = { (title: String, month: Int) in
                SimResponse.json(#"{"id":"\#(id)","title":"\#(title)","updated_at":"2020-0\#(month)-01T00:00:00Z"}"#)
            }
            stage.world.override(id, answer("new", 2))
            #expect(try await stage.command(["enrich", id]).status == 0)
            stage.world.override(id, answer("old", 1))
            let older = try await stage.dryRun(id)
            #expect(older["result"] as? String == "superseded")
            let forced = try await stage.dryRun(id, ["--force"])
            #expect(forced["result"] as? String == "changed")
        }
    }

    /// A character that no jsonb holds is mended; what is no document of the engagement is said so.
    @Test func badAnswersAreNamed() async throws {
        try await Stage.run { stage in
            let ids = stage.ids(0..<3)
            stage.world.override(ids[0], .json(#"{"id":"\#(ids[0])","title":"a\u0000b"}"#))
            stage.world.override(ids[1], .json(#"{"id":"\#(ids[0])","title":"another's"}"#))
            stage.world.override(ids[2], .json(#"{"id":"\#(ids[2])","title":"cut"#))
            let mended = try await stage.dryRun(ids[0])
            #expect(mended["result"] as? String == "changed")
            for id in ids[1...] {
                let ended = try await stage.command(["enrich", "--dry-run", id])
                #expect(ended.status == 1)
                #expect(ended.output.contains("not its document"), "\(ended.output)")
            }
        }
    }

    @Test func whatCannotBeReadIsExitCodeOneWithTheReason() async throws {
        try await Stage.run { stage in
            let ids = stage.ids(0..<4)
            stage.world.revoke("engagements:private:read")
            stage.world.setPrivate(ids[0])
            stage.world.setMissing(ids[1])
            stage.world.setFault(.unavailable, of: ids[2])
            let ended = try await stage.command(["enrich", "--dry-run"] + ids)
            #expect(ended.status == 1)
            for reason in ["private: the credential lacks engagements:private:read", "not found", "HTTP 503"] {
                #expect(ended.output.contains(reason), "\(ended.output)")
            }
            #expect(ended.output.contains("/v2/engagements?limit=1"))
            #expect(ended.output.contains("nothing is stored of it yet"), "the last one can be read")
        }
    }

    @Test func aRefusedCredentialIs77() async throws {
        try await Stage.run { stage in
            let ids = stage.ids(0..<2)
            let refused = try await stage.command(
                ["enrich", "--dry-run"] + ids, ["ASKELEPHANT_TOKEN": "sk-apik_c4n4ry"])
            #expect(refused.status == 77)
            #expect(refused.output.contains("401"))
            #expect(!(refused.output + refused.errors).contains("c4n4ry"))
            #expect(stage.world.totalRequests == 1)
            stage.world.revoke("engagements:read")
            let useless = try await stage.command(["enrich", "--dry-run"] + ids)
            #expect(useless.status == 77)
            #expect(useless.errors.contains("engagements:read"))
        }
    }
}

extension Stage {
    /// The one outcome of a dry run.
    fileprivate func dryRun(_ id: String, _ flags: [String] = []) async throws -> [String: Any] {
        let ended = try await command(["enrich", "--dry-run", "--output", "json", id] + flags)
        #expect(ended.status == 0, "\(ended.errors)")
        let parsed = try JSONSerialization.jsonObject(with: Data(ended.output.utf8))
        return try #require((parsed as? [[String: Any]])?.first)
    }

    /// What no output of a dry run may hold.
    fileprivate func privateTexts(of ids: [String]) -> [String] {
        let truths = ids.map { world.truth($0) }
        let words = truths.compactMap { $0.transcript?.split(separator: "\n").first.map(String.init) }
        return [Simulator.demoToken, "@people.example", "SIGNATURE-", "media.example"] + words + truths.map(\.title)
    }
}
