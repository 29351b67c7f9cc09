import AskElephant
import Postgres
import TestKit
import Testing

@testable import engagement_worker

/// What `doctor` makes of what it was told.
struct DoctorTests {
    private func marks(_ change: (inout ServerFacts) -> Void, receives: Bool = false) -> [String: Finding.Mark] {
        var facts = ServerFacts()
        change(&facts)
        let findings = facts.findings(connectionsNeeded: 6, receives: receives)
        for finding in findings {
            #expect((finding.next != nil) == (finding.mark == .warning || finding.mark == .failure), "\(finding)")
        }
        return Dictionary(uniqueKeysWithValues: findings.map { ($0.area, $0.mark) })
    }

    @Test func theServerIsJudgedByWhatItSays() {
        #expect(marks { _ in }.values.allSatisfy { $0 == .ok })
        #expect(marks { $0.versionNumber = 149_999 }["database"] == .failure)
        #expect(marks { $0.encoding = "SQL_ASCII" }["database"] == .failure)
        #expect(marks { $0.isStandby = true }["database"] == .failure)
        #expect(marks { ($0.skew, $0.roundTrip) = (31, 0) }["clock"] == .warning)
        #expect(marks { ($0.skew, $0.roundTrip) = (-31, 0) }["clock"] == .warning)
        // The answer may have been under way for so long.
        #expect(marks { ($0.skew, $0.roundTrip) = (31, 2) }["clock"] == .ok)
        #expect(marks({ $0.skew = 301 }, receives: true)["clock"] == .failure)
        #expect(marks({ $0.skew = 299 }, receives: true)["clock"] == .warning)
        #expect(marks { $0.connectionsUsed = 92 }["connections"] == .warning)
        #expect(marks { $0.connectionsUsed = 91 }["connections"] == .ok)
        #expect(marks { $0.connectionsUsed = nil }["connections"] == .skipped)
        #expect(
            marks { $0.logging = .init(why: "log_statement is all", remedy: "log_parameter_max_length = 0") }[
                "server log"] == .warning)
    }

    /// Every setting by which a server writes statements, alone and with their parameters cut off.
    @Test func documentsInTheServersLogAreSeenComing() {
        func logging(
            _ statements: String = "none", _ slower: String = "-1", _ sample: String = "-1", _ explain: String = "-1",
            parameters: String = "-1", onError: String = "0", explained: String = "-1", sampled: String = "0",
            audit: String = "none", audited: String = "off"
        ) -> String? {
            ServerFacts.logging(
                statements: statements, slowerThan: slower, sampleSlowerThan: sample, explainSlowerThan: explain,
                parameters: parameters, parametersOnError: onError, explainParameters: explained,
                transactionSample: sampled, audit: audit, auditParameters: audited)?.remedy
        }
        #expect(logging() == nil && logging("ddl") == nil)
        #expect(logging("all") != nil && logging("mod") != nil && logging("all", parameters: "0") == nil)
        #expect(
            logging("none", "1s") != nil && logging("none", "0") != nil && logging("none", "1s", parameters: "0") == nil
        )
        #expect(logging("none", "-1", "5ms") != nil && logging("none", "-1", "5ms", parameters: "0") == nil)
        #expect(logging("none", "-1", "-1", "1s", parameters: "0") != nil)
        #expect(logging("none", "-1", "-1", "1s", parameters: "0", explained: "0") == nil)
        #expect(logging(sampled: "0.01") != nil && logging(parameters: "0", sampled: "0.01") == nil)
        #expect(logging(audit: "write", audited: "on") == "pgaudit.log_parameter = off")
        #expect(logging(audit: "write") == nil && logging(audited: "on") == nil)
        #expect(logging(onError: "64B") == "log_parameter_max_length_on_error = 0")
    }

    @Test func vacuumThatIsKeptAwayIsNamed() {
        func finding(_ change: (inout VacuumFacts) -> Void) -> Finding {
            var facts = VacuumFacts()
            change(&facts)
            return facts.finding(schema: "Crm", role: "worker")
        }
        #expect(finding { ($0.dead, $0.pid, $0.age) = (50_000, 7, 60) }.mark == .ok)
        let dead = finding { $0.dead = 50_001 }
        #expect(dead.mark == .warning && dead.next?.hasPrefix(#"VACUUM "Crm".enrichment_queue;"#) == true)
        let held = finding { ($0.pid, $0.age) = (7, 61) }
        #expect(held.mark == .warning && held.next?.contains("pg_terminate_backend(7)") == true)
        #expect(finding { ($0.prepared, $0.preparedAge) = ("x", 60) }.mark == .ok)
        let prepared = finding { ($0.prepared, $0.preparedAge) = ("it's", 61) }
        #expect(prepared.mark == .warning && prepared.next?.contains("ROLLBACK PREPARED 'it''s';") == true)
        let slot = finding { $0.slot = "away" }
        #expect(slot.mark == .warning && slot.next?.contains("pg_drop_replication_slot('away')") == true)
        // What is not seen is not called well.
        let blind = finding { $0.seesAll = false }
        #expect(blind.mark == .warning && blind.text.contains("not known"))
        #expect(blind.next?.contains(#"GRANT pg_read_all_stats TO "worker";"#) == true)
    }

    /// After `migrate --without-bell`, and where somebody has switched it off.
    @Test func aBellThatDoesNotRingIsSeen() async throws {
        try await Stage.run { stage in
            func notifications() async throws -> (line: String, next: String) {
                let lines = try await stage.command(["doctor"]).output.split(separator: "\n").map(String.init)
                let index = try #require(lines.firstIndex { $0.contains(" notifications ") }, "\(lines)")
                return (lines[index], index + 1 < lines.count ? lines[index + 1] : "")
            }
            #expect(try await notifications().line.hasPrefix("✓"))
            for change in [
                "ALTER TABLE enrichment_queue DISABLE TRIGGER ring_bell", "DROP TRIGGER ring_bell ON enrichment_queue",
            ] {
                try await stage.database.run(change)
                let silent = try await notifications()
                #expect(silent.line.hasPrefix("!") && silent.line.contains("--poll-interval"), "\(silent)")
                let remedy = try #require(silent.next.split(separator: "if it was not meant: ").last)
                try await stage.database.run(String(remedy))
                #expect(try await notifications().line.hasPrefix("✓"))
            }
        }
    }

    /// In a real schema: what nothing works without is a failure, anything else may have been meant.
    @Test func whatHasDriftedIsNamed() async throws {
        try await Stage.run { stage in
            func drift() async throws -> String {
                let output = try await stage.command(["doctor"]).output
                let lines = output.split(separator: "\n").map { $0.split(separator: " ").joined(separator: " ") }
                return lines.first { $0.contains(" drift ") } ?? "no line"
            }
            #expect(try await drift() == "✓ drift \(SchemaDrift.none)")
            // Somebody's own table is nobody's business, their index on ours neither.
            try await stage.database.run(
                "CREATE TABLE mine (id int); CREATE INDEX mine_too ON engagements (title); ANALYZE engagements")
            #expect(try await drift() == "✓ drift \(SchemaDrift.none)")
            try await stage.database.run(
                """
                DROP INDEX crm_associations_object;
                ALTER TABLE enrichment_queue DISABLE TRIGGER ring_bell;
                CREATE OR REPLACE FUNCTION part_scope(part text) RETURNS text LANGUAGE sql AS 'SELECT NULL::text'
                """)
            #expect(
                try await drift()
                    == "! drift function part_scope(part text) is changed; index crm_associations_object is missing; "
                    + "trigger enrichment_queue.ring_bell is changed")
            try await stage.database.run("ALTER TABLE enrichment_queue DROP COLUMN looks CASCADE")
            #expect(try await drift().hasPrefix("✗ drift column enrichment_queue.looks is missing; "))
            // Migrating again does not call that well.
            #expect(try await stage.command(["migrate"]).status == 0)
            #expect(try await drift().hasPrefix("✗ drift column enrichment_queue.looks is missing; "))
        }
    }

    @Test func theAPIsAnswersAreToldApart() {
        let problem = Problem(body: [], requestIDHeader: "rid_1")
        let replies: [(Reply, Finding.Mark)] = [
            (.unauthorized(problem), .failure), (.forbidden(problem), .failure),
            (.rateLimited(after: .seconds(3), problem), .warning),
            (.transport(.dns), .failure), (.transport(.connect), .failure), (.transport(.tls), .failure),
            (.transport(.timeout), .warning),
            (.unavailable(status: 503, after: nil, problem), .warning),
            (.notFound(problem), .failure), (.contract(ContractViolation(.redirect, status: 301)), .failure),
        ]
        for (reply, mark) in replies {
            let finding = APIChecks.finding(of: reply, from: "https://api.example", after: "1 ms")
            #expect(finding.mark == mark && finding.next != nil, "\(reply)")
        }
    }
}
