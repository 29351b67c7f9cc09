import Enrichment
import Foundation
import Simulator
import TestKit
import Testing

@testable import Monitor

/// What deploy/ gives to those who operate it is tried, all of it.
@Suite(.serialized) struct OperatingTests {
    private static func text(_ path: String) throws -> String {
        try String(contentsOf: Manual.file(path), encoding: .utf8)
    }

    private func expectSuccess(_ program: String, _ arguments: [String], input: String = "") async throws {
        let ended = try await Program.run(program, arguments, input: input)
        #expect(ended.status == 0, "\(program) \(arguments): \(ended.output)\(ended.errors)")
    }

    private func metrics(in text: String) -> Set<String> {
        Set(text.matches(of: /engagement_worker_[a-z_]+/).map { String($0.output) })
    }

    // MARK: Prometheus and Grafana

    @Test func alertsFireWhenTheyHaveToAndEachHasARunbook() async throws {
        let folder = Manual.file("deploy/prometheus").path
        try await expectSuccess("promtool", ["check", "rules", folder + "/rules.yml"])
        try await expectSuccess("promtool", ["test", "rules", folder + "/rules_test.yml"])
        let rules = try Self.text("deploy/prometheus/rules.yml")
        #expect(metrics(in: rules).isSubset(of: Metrics.names), "\(metrics(in: rules).subtracting(Metrics.names))")
        let alerts = rules.matches(of: /alert: (\w+)/).map { String($0.output.1) }
        let runbooks = rules.matches(of: /runbook: deploy\/README.md#(\w+)/).map { String($0.output.1) }
        #expect(alerts.count == 12 && runbooks == alerts.map { $0.lowercased() })
        let manual = try Self.text("deploy/README.md")
        let tests = try Self.text("deploy/prometheus/rules_test.yml")
        for alert in alerts {
            #expect(manual.contains("\n### \(alert)\n"), "no runbook for \(alert)")
            #expect(tests.contains("\(alert) fires") && tests.contains("\(alert) is quiet"), "\(alert) is not tested")
        }
    }

    /// Every query of the dashboard parses, and names a metric that there is; each metric is on it.
    @Test func theDashboardShowsWhatThereIs() async throws {
        let json = try JSONSerialization.jsonObject(with: Data(Self.text("deploy/grafana/dashboard.json").utf8))
        let panels = try #require((json as? [String: Any])?["panels"] as? [[String: Any]])
        let queries = panels.flatMap { ($0["targets"] as? [[String: Any]] ?? []).compactMap { $0["expr"] as? String } }
        #expect(queries.count >= panels.count)
        var rules = "groups:\n- name: dashboard\n  rules:\n"
        for (number, query) in queries.enumerated() {
            #expect(!metrics(in: query).isEmpty)
            let plain = query.replacing("$__rate_interval", with: "5m").replacing(/\$[a-z]+/, with: ".*")
            rules += "  - record: q\(number)\n    expr: '\(plain)'\n"
        }
        let file = TestCluster.folder + "/dashboard-\(UUID().uuidString).yml"
        try rules.write(toFile: file, atomically: true, encoding: .utf8)
        defer { try? FileManager.default.removeItem(atPath: file) }
        try await expectSuccess("promtool", ["check", "rules", file])
        let shown = queries.reduce(into: Set<String>()) { $0.formUnion(metrics(in: $1)) }
        #expect(shown == Set(Metrics.names), "\(shown.symmetricDifference(Metrics.names))")
        let ids = panels.compactMap { $0["id"] as? Int }
        #expect(Set(ids).count == panels.count)
        // One number is that of now: the last one within the hours on show may be of a worker that is gone.
        for panel in panels where panel["type"] as? String == "stat" {
            for target in panel["targets"] as? [[String: Any]] ?? [] {
                #expect(
                    target["instant"] as? Bool == true && target["range"] as? Bool == false, "\(panel["title"] ?? "")")
            }
        }
        // Each query follows each choice, the versions all but that of a workspace.
        for query in queries {
            let chosen = Set(query.matches(of: /\$[a-z]+/).map { String($0.output) })
            #expect(chosen.isSuperset(of: ["$job", "$namespace"]), "\(query)")
            #expect(chosen.contains("$workspace") || query.contains("engagement_worker_build_info"), "\(query)")
        }
    }

    @Test func theManualNamesTheMetrics() throws {
        let named = try Manual("deploy/README.md").section("Health and metrics").names.filter {
            $0.hasPrefix("engagement_worker_")
        }
        #expect(named == Metrics.names)
    }

    // MARK: The journal

    /// The commands of a section, with the comment above each.
    private static func commands(in title: String) throws -> [(comment: String, command: String)] {
        let manual = try text("deploy/README.md")
        let start = try #require(manual.range(of: "\(title)\n")).upperBound
        let section = manual[start...]
        let block = try #require(section.range(of: "```sh\n")).upperBound
        let lines = manual[block...].prefix(upTo: try #require(manual[block...].range(of: "\n```")).lowerBound).split(
            separator: "\n")
        return stride(from: 0, to: lines.count - 1, by: 2).map { (String(lines[$0]), String(lines[$0 + 1])) }
    }

    /// A journal of these lines, as journald would have filed them, some of them systemd's own. Its time is now.
    private func journal(_ lines: [String], hasStart: Bool = true) async throws -> String {
        let folder = TestCluster.folder + "/journal-\(UUID().uuidString.prefix(8))"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        let boot = UUID().uuidString.replacing("-", with: "").lowercased()
        var export = ""
        let now = Int64(Date().timeIntervalSince1970 * 1_000_000) - Int64(lines.count)
        let own = hasStart ? ["<6>Started AskElephant engagements into Postgres."] : []
        for (number, line) in (own + lines).enumerated() {
            let (_, priority, message) = try #require(line.wholeMatch(of: /<(\d)>(.*)/)).output
            export += """
                __REALTIME_TIMESTAMP=\(now + Int64(number))
                __MONOTONIC_TIMESTAMP=\(number + 1)
                _BOOT_ID=\(boot)
                _MACHINE_ID=\(boot)
                _SYSTEMD_UNIT=engagement-worker.service
                PRIORITY=\(priority)
                MESSAGE=\(message)


                """
        }
        let file = folder + "/worker.journal"
        try await expectSuccess("/lib/systemd/systemd-journal-remote", ["-o", file, "-"], input: export)
        return file
    }

    /// Runs the command as it stands in the manual, on that journal.
    private func replay(_ command: String, on file: String) async throws -> Program {
        let script = "set -o pipefail; journalctl() { command journalctl --quiet --file '\(file)' \"$@\"; }; \(command)"
        return try await Program.run("bash", ["-c", script])
    }

    @Test func theTenCommandsShowWhatTheySay() async throws {
        try await Stage.run { stage in
            let id = "ngmt_01JZ0A1B2C3D4E5F6G7H8J9K0M"
            stage.world.revoke("contacts:read")
            stage.world.setMissing(stage.world.id(3))
            let worker = try await stage.worker(["--log-format", "json"], ["ENGAGEMENT_WORKER_LOG_LEVEL": "info"])
            try await stage.insert([id, "nonsense"] + stage.ids(0..<5))
            try await worker.waitFor("job.done", count: 7)
            worker.signal(SIGTERM)
            #expect(try await worker.exitStatus() == 0)
            var lines = worker.lines().map { "<\(Self.priority(of: $0))>\($0)" }
            lines.append("<6>" + Self.heartbeat { _ in })
            let file = try await journal(lines)
            let commands = try Self.commands(in: "## Reading the log")
            #expect(commands.count == 10)
            let expected = [
                "Started AskElephant", "scope.denied", #""verdict": "healthy""#, #""outcome":"partial""#, "partial",
                "dead invalid_id",
                "T", #""p95""#, #""engagement_id""#, "lease=1m",
            ]
            for ((comment, command), word) in zip(commands, expected) {
                let ended = try await replay(command, on: file)
                #expect(ended.status == 0, "\(command): \(ended.errors)")
                #expect(ended.output.contains(word), "\(comment) \(command): \(word) in \(ended.output)")
            }
            // What is filed as a warning is all that is one.
            let warnings = try await replay(commands[1].command, on: file).output.split(separator: "\n")
            #expect(warnings.count == worker.records().count { ["warning", "error"].contains($0["level"] as? String) })
            let one = try await replay(commands[3].command, on: file).output.split(separator: "\n")
            // It may be the evidence of the denial, too.
            #expect((1...2).contains(one.count) && one.last?.contains("job.done") == true, "\(one)")
        }
    }

    /// Each alert on a journal where it has to fire and on one where it must not.
    @Test func theFiveAlertsFireWhenTheyHaveTo() async throws {
        let commands = try Self.commands(in: "### Alerts from the log").map(\.command)
        try #require(commands.count == 5)
        let well = Self.heartbeat { _ in }
        let cases: [(alert: Int, lines: [String])] = [
            (0, []),
            (
                1,
                Array(
                    repeating: Self.heartbeat { ($0.verdict, $0.why) = (.blocked, "the API does not serve") }, count: 3)
            ),
            (2, [well, Self.heartbeat { ($0.verdict, $0.oldestDueSeconds) = (.behind, 301) }]),
            (3, [well, Self.heartbeat { $0.credential = .invalid }]),
            (4, [well, #"{"event":"job.done","outcome":"dead","cause":"not_found"}"#]),
        ]
        // Blocked for a moment, behind while somebody has paused it, and a workspace that is well beside it.
        let almost = Self.heartbeat { $0.verdict = .blocked }
        let paused = Self.heartbeat { ($0.verdict, $0.oldestDueSeconds) = (.paused, 900) }
        let quiet = try await journal([almost, almost, paused, well, well].map { "<6>\($0)" })
        for (alert, lines) in cases {
            let file = try await journal(lines.map { "<4>\($0)" })
            for (number, command) in commands.enumerated() {
                let fires = try await replay(command, on: file)
                #expect(
                    fires.output == (number == alert ? "true\n" : "false\n"),
                    "alert \(number) where \(alert) is due: \(fires.errors)")
            }
            #expect(try await replay(commands[alert], on: quiet).output == "false\n")
        }
    }

    private static func heartbeat(_ change: (inout Heartbeat) -> Void) -> String {
        var beat = Heartbeat(
            verdict: .healthy, why: nil, limitedBy: .nothing, due: 3, oldestDueSeconds: 0.5, backgroundDue: 0,
            waiting: 0,
            inFlight: 1, done: 5, dead: 0, lastSuccessSeconds: 1, requestsPerSecond: 2, credential: .ok, db: .ok,
            listen: .ok,
            partsDenied: [])
        change(&beat)
        return #"{"event":"worker.heartbeat","worker":"1","# + beat.fields.json.dropFirst()
    }

    private static func priority(of line: String) -> Int {
        let words = ["error": 3, "warning": 4, "notice": 5, "info": 6, "debug": 7]
        let level = line.firstMatch(of: /"level":"(\w+)"/).map { String($0.output.1) } ?? "info"
        return words[level] ?? 6
    }
}
