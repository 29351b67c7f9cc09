import Foundation
import Simulator
import TestKit
import Testing

/// `scopes` and `scopes recheck`.
struct ScopesCommandTests {
    @Test func eachPartHasAVerdictWithEvidence() async throws {
        try await Stage.run { stage in
            let ids = stage.ids(0..<5)
            stage.world.revoke("contacts:read")
            try await stage.database.run("DELETE FROM credentials")
            let empty = try await stage.scopes()
            #expect(empty.parts.map { $0["verdict"] as? String } == Array(repeating: "unknown", count: 8))
            #expect(empty.credential["last_seen_at"] is NSNull)

            try await stage.insert(ids)
            #expect(try await stage.command(["run", "--once"]).status == 0)
            let (credential, parts) = try await stage.scopes()
            #expect(credential["name"] as? String == "default")
            #expect(credential["last_seen_at"] is String)
            #expect(
                parts.map { $0["part"] as? String } == [
                    "companies", "contacts", "owner", "action_items", "signals", "transcript", "media_url", "tags",
                ])
            let denied = try #require(parts.first { $0["part"] as? String == "contacts" })
            #expect(denied["scope"] as? String == "contacts:read")
            #expect(denied["verdict"] as? String == "denied")
            #expect(ids.contains(denied["evidence"] as? String ?? ""))
            #expect((denied["request_id"] as? String)?.hasPrefix("rid_") == true)
            for name in ["first_seen_at", "last_seen_at", "next_probe_at"] {
                #expect(denied[name] is String, "\(name)")
            }
            #expect(denied["lacking"] as? Int == 5)
            for part in parts where part["part"] as? String != "contacts" && part["part"] as? String != "transcript" {
                #expect(part["verdict"] as? String == "readable", "\(part)")
                #expect(ids.contains(part["evidence"] as? String ?? ""))
                #expect(part["lacking"] is NSNull)
            }
        }
    }

    @Test func theTableBeginsWithTheCredential() async throws {
        try await Stage.run { stage in
            stage.world.revoke("users:read")
            let worker = try await stage.worker()
            try await stage.insert(stage.ids(0..<2))
            try await worker.waitFor("job.done", count: 2)
            try await stage.database.wait(for: "SELECT state FROM credentials", toBe: "ok")
            for arguments in [["scopes"], ["scopes", "list"]] {
                let ended = try await stage.command(arguments)
                #expect(ended.status == 0)
                #expect(ended.errors == "")
                let lines = ended.output.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
                #expect(lines[0].hasPrefix("credential default: ok, last seen "))
                #expect(lines.contains { $0.hasPrefix("owner ") && $0.contains("users:read") && $0.contains("denied") })
            }
            let other = try await stage.command(["scopes", "--credential-name", "other"])
            #expect(other.output.hasPrefix("credential other: no worker has used it yet\n"))
            #expect(!other.output.contains("denied"))
        }
    }

    @Test func whatAnswersLeaveOutIsNotDelivered() async throws {
        try await Stage.run { stage in
            try stage.world.setSwitch("missing_expand_scope", to: "leave_out")
            stage.world.revoke("companies:read")
            let id = stage.world.id(1)
            try await stage.insert([id])
            #expect(try await stage.command(["run", "--once"]).status == 0)
            let part = try #require(try await stage.scopes().parts.first { $0["part"] as? String == "companies" })
            #expect(part["verdict"] as? String == "not delivered")
            #expect(part["evidence"] as? String == id)
            #expect(part["lacking"] as? Int == 1)
            try await stage.database.run(
                "INSERT INTO scope_grants (credential_name, part) VALUES ('default', 'companies')")
            let granted = try #require(try await stage.scopes().parts.first { $0["part"] as? String == "companies" })
            #expect(granted["verdict"] as? String == "unknown")
        }
    }

    @Test func countsAreBounded() async throws {
        try await Stage.run { stage in
            try await stage.database.run(
                """
                INSERT INTO engagements (id, _observed_at) SELECT 'ngmt_' || n, now() FROM generate_series(1, 10001) AS n;
                INSERT INTO engagement_gaps (engagement_id, part, cause)
                SELECT 'ngmt_' || n, 'contacts', 'scope_denied' FROM generate_series(1, 10001) AS n;
                INSERT INTO scope_denials (credential_name, part, scope) VALUES ('default', 'contacts', 'contacts:read');
                """)
            #expect(try await stage.command(["scopes"]).output.contains("10,000+"))
            let part = try #require(try await stage.scopes().parts.first { $0["part"] as? String == "contacts" })
            #expect(part["lacking"] as? Int == 10_000)
            #expect(part["lacking_is_more"] as? Bool == true)
        }
    }

    /// No page names a scope for signals, so none is made up when they are refused.
    @Test func anUndocumentedGateHasNoScopeToAskFor() async throws {
        try await Stage.run { stage in
            try stage.world.setSwitch("gate.signals", to: "signals:read")
            stage.world.revoke("signals:read")
            try await stage.insert([stage.world.id(1)])
            #expect(try await stage.command(["run", "--once"]).status == 0)
            let part = try #require(try await stage.scopes().parts.first { $0["part"] as? String == "signals" })
            #expect(part["verdict"] as? String == "denied")
            #expect(part["scope"] is NSNull)
        }
    }

    @Test func recheckSaysWhatIsTriedAndWhoDoesIt() async throws {
        try await Stage.run { stage in
            let none = try await stage.command(["scopes", "recheck"])
            #expect(none.status == 0)
            #expect(none.output == "nothing is denied: there is nothing to try again\n")
            stage.world.revoke("contacts:read")
            stage.world.revoke("users:read")
            try await stage.insert([stage.world.id(1)])
            #expect(try await stage.command(["run", "--once"]).status == 0)
            let due = "SELECT count(*) FROM scope_denials WHERE next_probe_at <= now()"
            let would = try await stage.command(["scopes", "recheck", "--dry-run"])
            #expect(would.output == "would be tried again: contacts, owner\n")
            #expect(try await stage.database.count(due) == 0)
            let alone = try await stage.command(["scopes", "recheck"])
            #expect(alone.status == 0)
            #expect(alone.output.hasPrefix("tried again: contacts, owner\nNo worker was seen"))
            #expect(try await stage.database.count(due) == 2)
        }
    }

    @Test func aRunningWorkerRechecksAndFills() async throws {
        try await Stage.run { stage in
            stage.world.revoke("contacts:read")
            let worker = try await stage.worker()
            try await stage.insert(stage.ids(0..<3))
            try await worker.waitFor("job.done", count: 3)
            stage.world.grant("contacts:read")
            let ended = try await stage.command(["scopes", "recheck"])
            #expect(ended.output == "tried again: contacts\nA running worker does it within 2 s.\n")
            try await stage.database.wait(
                for: "SELECT count(*) FROM engagement_gaps WHERE part = 'contacts'", toBe: "0")
            #expect(worker.records(of: "scope.granted").count == 1)
            let part = try #require(try await stage.scopes().parts.first { $0["part"] as? String == "contacts" })
            #expect(part["verdict"] as? String == "readable")
        }
    }

    @Test func aRefusedCredentialComesWithAdvice() async throws {
        try await Stage.run { stage in
            stage.world.invalidate(Simulator.demoToken)
            let worker = try await stage.worker()
            try await stage.insert([stage.world.id(1)])
            try await worker.waitFor("credential.invalid")
            try await stage.database.wait(for: "SELECT state FROM credentials", toBe: "refused")
            let ended = try await stage.command(["scopes"])
            #expect(ended.status == 0)
            #expect(ended.output.hasPrefix("credential default: refused, last seen "))
            #expect(ended.output.contains("ASKELEPHANT_TOKEN_FILE"))
            let recheck = try await stage.command(["scopes", "recheck"])
            #expect(recheck.output.hasPrefix("tried again: the credential default\n"))
        }
    }
}

extension Stage {
    fileprivate func scopes() async throws -> (credential: [String: Any], parts: [[String: Any]]) {
        let ended = try await command(["scopes", "--output", "json"])
        #expect(ended.status == 0, "\(ended.errors)")
        let parsed = try #require(try JSONSerialization.jsonObject(with: Data(ended.output.utf8)) as? [String: Any])
        return (
            try #require(parsed["credential"] as? [String: Any]), try #require(parsed["parts"] as? [[String: Any]])
        )
    }
}
