import Foundation
import Glibc
import Simulator
import TestKit
import Testing

/// The commands that the README shows are done, in its order, and each line that it shows is printed.
@Suite(.serialized) struct TranscriptTests {
    /// A command with what it printed, or SQL with its result, as a fenced block shows them.
    private struct Transcript {
        var command: String
        var output: [String]

        /// Those of a section, in their order. SQL is what follows no prompt.
        static func all(in title: String) throws -> [Transcript] {
            let text = try Manual("README.md").text()
            let start = try #require(text.range(of: "\n## \(title)\n")).upperBound
            let section = text[start...].prefix(upTo: text[start...].range(of: "\n## ")?.lowerBound ?? text.endIndex)
            return section.matches(of: /```\n([\s\S]*?)\n```/).flatMap { of(block: String($0.output.1)) }
        }

        private static func of(block: String) -> [Transcript] {
            var all: [Transcript] = []
            var isStatement = false
            for line in block.split(separator: "\n").map(String.init) {
                if line.hasPrefix("$ ") {
                    all.append(Transcript(command: String(line.dropFirst(2)), output: []))
                } else if isStatement || line.hasPrefix("SELECT ") || line.hasPrefix("INSERT ") && all.isEmpty {
                    if isStatement {
                        all[all.count - 1].command += "\n" + line
                    } else {
                        all.append(Transcript(command: line, output: []))
                    }
                    isStatement = !line.hasSuffix(";")
                } else if !all.isEmpty {
                    all[all.count - 1].output.append(line)
                }
            }
            return all
        }

        /// Each line was printed, whatever the time, the numbers of a record and the width of columns; … stands for anything.
        func expect(_ printed: String) {
            let lines = printed.split(separator: "\n").map { Self.plain(String($0)) }
            for line in output where line != "…" {
                let parts = Self.plain(line).split(separator: "…", omittingEmptySubsequences: false)
                let pattern = parts.map { NSRegularExpression.escapedPattern(for: String($0)) }.joined(separator: ".*")
                #expect(
                    lines.contains { $0.range(of: "^\(pattern)$", options: .regularExpression) != nil },
                    "\(command): not printed: \(line)\n\(printed)")
            }
        }

        private static func plain(_ line: String) -> String {
            var line = line
            for (pattern, word) in [
                (#"\d\d:\d\d:\d\d\.\d{3}Z"#, "TIME"),
                (#"\d{4}-\d\d-\d\d \d\d:\d\d(:\d\d(\.\d+)?)?(\+00| UTC)"#, "TIME"),
                (#"(?<=worker=)[0-9a-f]+"#, "ID"), (#"=\d+(?= |$)"#, "=N"), (#"rid_[0-9A-Z]{26}"#, "RID"),
                (#" +\d+$"#, " N"), (#"127\.0\.0\.1:\d+"#, "ADDRESS"), (#"-{3,}"#, "-"), (#" +"#, " "), (#"^ | $"#, ""),
            ] {
                line = line.replacingOccurrences(of: pattern, with: word, options: .regularExpression)
            }
            return line
        }
    }

    /// It runs the same binary, after what the script does for it.
    @Test func theDemoIsAsShown() async throws {
        try await Stage.run { stage in
            try await stage.database.run("DROP SCHEMA askelephant CASCADE")
            let demo = try #require(try Transcript.all(in: "Quick start").first { $0.command == "deploy/demo" })
            #expect(demo.output.count > 20)
            let ended = try await stage.command(
                ["demo"], ["ASKELEPHANT_TOKEN": nil, "ASKELEPHANT_BASE_URL": nil, "ENGAGEMENT_WORKER_LOG_LEVEL": nil])
            #expect(ended.status == 0, "\(ended.errors)")
            demo.expect(ended.output)
        }
    }

    /// From an empty database: the simulator as another process, doctor, migrate, doctor, run, insert, and there it is.
    @Test func theQuickStartLeadsToRows() async throws {
        try await Stage.run { stage in
            try await stage.database.run("DROP SCHEMA askelephant CASCADE")
            let shown = try Transcript.all(in: "Quick start")
            func transcript(_ command: String) throws -> Transcript {
                try #require(shown.first { $0.command == command }, "\(command)")
            }
            let (simulator, environment) = try await Self.simulator(stage)
            try transcript("engagement-worker simulate").expect(simulator.output)
            let asked = try await stage.command(["doctor"], environment)
            #expect(asked.status == 1, "\(asked.output)")
            try transcript("engagement-worker doctor").expect(asked.output)
            let migrated = try await stage.command(["migrate"], environment)
            #expect(migrated.status == 0, "\(migrated.errors)")
            try transcript("engagement-worker migrate").expect(migrated.output)
            let checked = try await stage.command(["doctor"], environment)
            #expect(checked.status == 0, "\(checked.output)")

            let worker = try stage.start(["run"], environment)
            try await eventually("it is ready") { worker.output.contains("worker.ready") }
            try transcript("engagement-worker run").expect(worker.output)
            let statements = shown.filter { $0.command.hasPrefix("SELECT") || $0.command.hasPrefix("INSERT") }
            #expect(statements.count == 3)
            for statement in statements {
                if statement.command.hasPrefix("SELECT") {
                    try await eventually("the engagement arrives") { worker.output.contains("job.done") }
                }
                let answer = try await Program.run(
                    "psql",
                    ["-X", "-v", "ON_ERROR_STOP=1", "-d", stage.database.conninfo + " options='-c timezone=UTC'"],
                    input: statement.command)
                #expect(answer.status == 0, "\(answer.errors)")
                statement.expect(answer.output)
            }
        }
    }

    /// What the credential may not read, and what a fetch would do once it may read less, of an engagement that has changed.
    @Test(arguments: ["scopes", "enrich"]) func permissionsAreShownAsTheManualSays(_ command: String) async throws {
        let shown = try Transcript.all(in: "Permissions and what happens without them")
        let transcript = try #require(shown.first { $0.command.hasPrefix("engagement-worker \(command)") })
        try await Stage.run(seed: 1, settings: SimulatorSettings()) { stage in
            let id = "ngmt_01YA4W9Q658152Z44BQW2AJD2M"
            if command == "scopes" { stage.world.revoke("contacts:read") }
            try await stage.insert([id])
            #expect(try await stage.command(["run", "--once"]).status == 0)
            stage.world.revoke("contacts:read")
            stage.world.bump(id)
            let ended = try await stage.command(
                transcript.command.split(separator: " ").dropFirst().map(String.init))
            #expect(ended.status == 0, "\(ended.errors)")
            transcript.expect(ended.output)
        }
    }

    /// A simulator as a process of its own, and the environment that it prints.
    private static func simulator(
        _ stage: Stage
    ) async throws -> (process: WorkerProcess, environment: [String: String?]) {
        let process = try stage.start(["simulate", "--port", "0"])
        try await eventually("it serves") { process.output.contains("ASKELEPHANT_SIMULATOR=") }
        var environment: [String: String?] = [
            "ENGAGEMENT_WORKER_LOG_LEVEL": nil, "ENGAGEMENT_WORKER_LOG_FORMAT": "pretty",
        ]
        for line in process.output.split(separator: "\n") {
            let parts = line.split(separator: "=", maxSplits: 1).map(String.init)
            if parts[0] != "ASKELEPHANT_SIMULATOR" { environment[parts[0]] = parts[1] }
        }
        return (process, environment)
    }
}
