import ArgumentParser
import Enrichment
import Foundation
import Testing

@testable import engagement_worker

/// The manual names what there is, and nothing else: a name that was added, renamed or removed without it fails here.
///
/// The names of a section are those in backticks in the first column of its tables.
struct DocumentationTests {
    private let manual = Manual("README.md")

    @Test func theSettingsTableIsTheDeclarations() throws {
        let expected = Settings.declarations.map { declaration in
            let flag = declaration.flag.map { "`--\($0)`" } ?? ""
            let value = declaration.show(Settings()).map { "`\($0)`" } ?? ""
            return ["`\(declaration.variable)`", flag, value]
        }
        let written = try manual.section("Settings").rows.map { Array($0.prefix(3)) }
        #expect(expected.filter { !written.contains($0) } == [], "missing")
        #expect(written.filter { !expected.contains($0) } == [], "gone, or another default")
    }

    @Test func theCommandsTableIsTheCommandLine() throws {
        let expected = EngagementWorker.configuration.subcommands.flatMap { Self.leaves($0) }
        try expectNames(expected, in: "Commands")
    }

    @Test func theTablesAndViewsAreThoseOfTheMigrations() throws {
        let migrations = try Manual.texts(in: "sql/migrations", ending: ".sql").joined(separator: "\n")
        let found = migrations.matches(of: /(?m)^CREATE (?:TABLE|VIEW|FUNCTION) (\w+)/).filter { match in
            // Of the functions people call one; the others are internal.
            !match.output.0.contains("FUNCTION") || match.output.1 == "enrichment_state"
        }
        #expect(found.count > 20)
        // The migrator's own table is made before the first migration.
        try expectNames(found.map { String($0.output.1) } + ["schema_migrations"], in: "Tables and views")
    }

    @Test func theEventsAreThoseOfTheLog() throws {
        try expectNames(LogEvent.allCases.map(\.rawValue), in: "Events")
    }

    @Test func theOutcomesAreThoseOfJobDone() throws {
        try expectNames(JobDone.Outcome.allCases.map(\.rawValue), in: "Outcomes")
    }

    @Test func theCausesAreThoseOfTheWorker() throws {
        let kinds = Dictionary(grouping: Cause.allCases, by: Self.endsAsDeadLetter).mapValues { $0.map(\.rawValue) }
        try expectNames(kinds[true] ?? [], in: "Causes of dead letters")
        try expectNames(kinds[false] ?? [], in: "Causes of jobs that were given back")
    }

    @Test func theExitCodesAreThoseOfTheProcess() throws {
        try expectNames(ExitCode.allCases.map { "\($0.rawValue)" }, in: "Exit codes")
    }

    @Test func theFieldsAreThoseOfTheRecords() throws {
        let done = JobDone(
            jobID: 1, engagementID: nil, reason: nil, outcome: .enriched, cause: nil, httpStatus: nil, claim: 1,
            attempt: 0, waitMilliseconds: nil, fetchMilliseconds: nil, writeMilliseconds: nil, requests: 1,
            partsMissing: [], coalesced: 0, requestID: nil, worker: "1"
        )
        try expectNames(done.fields.list.map(\.key.rawValue), in: "The record job.done")
        let beat = Heartbeat(
            verdict: .healthy, why: nil, limitedBy: .nothing, due: nil, oldestDueSeconds: nil, backgroundDue: nil,
            waiting: nil, inFlight: 0, done: 0, dead: 0, lastSuccessSeconds: nil, requestsPerSecond: 0,
            credential: .ok, db: .ok, listen: .ok, partsDenied: []
        )
        try expectNames(beat.fields.list.map(\.key.rawValue), in: "The record worker.heartbeat")
    }

    /// Each field of a record is in one of the three tables, and none of the third is in the first two.
    @Test func theFieldsOfOtherRecordsAreTheRestOfTheKeys() throws {
        let titles = ["The record job.done", "The record worker.heartbeat"]
        let known = Set(try titles.flatMap { try manual.section($0).names })
        let rest = LogKey.allCases.map(\.rawValue).filter { !known.contains($0) }
        try expectNames(rest, in: "Fields of other records")
    }

    /// A key that no record has would be a promise of the manual that nothing keeps.
    @Test func eachFieldIsWrittenSomewhere() throws {
        let code = try Manual.swiftFiles(in: "Sources").map { try String(contentsOf: $0, encoding: .utf8) }
        let keys = try #require(code.first { $0.contains("enum LogKey: String") })
        let names = keys.matches(of: /(?m)^    case (\w+)/).map { String($0.output.1) }
        #expect(names.count == LogKey.allCases.count)
        for name in names {
            // As the key of a literal, followed by its value.
            let written = try Regex("\\.\(name):\\s")
            #expect(code.contains { $0.contains(written) }, "no record has \(name)")
        }
    }

    @Test func theViewsForReadersAreThoseOfTheGrants() throws {
        let grants = try Manual("deploy/grants.sql").text()
        let made = grants.matches(of: /CREATE OR REPLACE VIEW :"schema"\.(\w+)/).map { String($0.output.1) }
        #expect(made.count > 5)
        #expect(try Set(Manual("sql/README.md").section("Views for readers").names) == Set(made))
    }

    /// To files that there are, and to headings in them.
    @Test(arguments: ["README.md", "sql/README.md", "sql/TABLES.md", "deploy/README.md", "Tests/README.md"])
    func linksLeadSomewhere(_ path: String) throws {
        let targets = try Manual(path).text().matches(of: /\]\(([^):]+)\)/).map { String($0.output.1) }
        #expect(!targets.isEmpty)
        let folder = Manual.file(path).deletingLastPathComponent()
        for target in targets {
            let sides = target.split(separator: "#", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
            let file = sides[0].isEmpty ? Manual.file(path) : folder.appendingPathComponent(sides[0])
            #expect(FileManager.default.fileExists(atPath: file.path), "\(path) names \(target)")
            guard sides.count == 2, let text = try? String(contentsOf: file, encoding: .utf8) else { continue }
            #expect(Manual.anchors(of: text).contains(sides[1]), "\(path) names \(target)")
        }
    }

    @Test func anchorsAreMadeAsGitHubMakesThem() {
        let text = """
            # engagement-worker
            ## The record job.done
            ### `status` as JSON: what's new?
            ```sh
            # no heading
            ```
            ## Scale
            ## Scale
            """
        #expect(
            Manual.anchors(of: text) == [
                "engagement-worker", "the-record-jobdone", "status-as-json-whats-new", "scale", "scale-1",
            ])
    }

    // MARK: -

    private func expectNames(_ expected: [String], in title: String) throws {
        let written = try manual.section(title).names
        let (missing, gone) = (Set(expected).subtracting(written), Set(written).subtracting(expected))
        #expect(missing.isEmpty, "missing in the section \"\(title)\"")
        #expect(gone.isEmpty, "in the section \"\(title)\" and nowhere else")
    }

    /// A command by its whole name, or those below it: `dead list`.
    private static func leaves(_ command: any ParsableCommand.Type) -> [String] {
        let below = command.configuration.subcommands.flatMap { leaves($0) }
        return below.isEmpty ? [command._commandName] : below.map { "\(command._commandName) \($0)" }
    }

    /// A closed switch, so that a new cause has to be put on one side.
    private static func endsAsDeadLetter(_ cause: Cause) -> Bool {
        switch cause {
        case .invalidID, .notFound, .private, .rejected, .contract, .tooLarge, .api, .network, .database, .poison:
            true
        case .credential, .forbidden, .rateLimited, .changed, .shutdown: false
        }
    }
}

/// A Markdown file of the project.
struct Manual {
    struct Section {
        /// The cells of all table rows, heads left out.
        let rows: [[String]]

        /// What stands in backticks in the first column.
        var names: [String] {
            rows.compactMap(\.first).flatMap { $0.matches(of: /`([^`]+)`/).map { String($0.output.1) } }
        }
    }

    let path: String

    init(_ path: String) { self.path = path }

    func text() throws -> String { try String(contentsOf: Self.file(path), encoding: .utf8) }

    /// From the heading to the next heading of any level.
    func section(_ title: String) throws -> Section {
        let lines = try text().split(separator: "\n", omittingEmptySubsequences: false)
        let start = try #require(
            lines.firstIndex { $0.hasPrefix("#") && $0.drop { $0 == "#" } == " \(title)" }, "\(path): \(title)")
        let body = lines[(start + 1)...].prefix { !$0.hasPrefix("#") }
        let tables = body.split { !$0.hasPrefix("|") }
        let rows = tables.flatMap { $0.dropFirst(2) }.map { row in
            row.split(separator: "|", omittingEmptySubsequences: false).dropFirst().dropLast()
                .map { $0.trimmingCharacters(in: .whitespaces) }
        }
        try #require(!rows.isEmpty, "\(path): no table in \(title)")
        return Section(rows: rows)
    }

    /// What a link may name after its #: a heading in small letters, without punctuation, spaces as hyphens; one that is there again
    /// is numbered.
    static func anchors(of text: String) -> Set<String> {
        var anchors: Set<String> = []
        var isFenced = false
        for line in text.split(separator: "\n") {
            if line.drop(while: { $0 == " " }).hasPrefix("```") { isFenced.toggle() }
            guard !isFenced, let heading = line.wholeMatch(of: /#{1,6} +(.*)/)?.output.1 else { continue }
            let slug = heading.lowercased().filter { $0.isLetter || $0.isNumber || "-_ ".contains($0) }
                .replacing(" ", with: "-")
            let again = anchors.contains(slug) ? (1...).first { !anchors.contains("\(slug)-\($0)") } : nil
            anchors.insert(again.map { "\(slug)-\($0)" } ?? slug)
        }
        return anchors
    }

    static func file(_ path: String) -> URL {
        let here = URL(fileURLWithPath: #filePath)
        let root = here.deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
        return root.appendingPathComponent(path)
    }

    static func swiftFiles(in folder: String) throws -> [URL] {
        let files = try #require(FileManager.default.enumerator(at: file(folder), includingPropertiesForKeys: nil))
        return files.compactMap { $0 as? URL }.filter { $0.pathExtension == "swift" }
    }

    static func texts(in folder: String, ending suffix: String) throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: file(folder).path)
            .filter { $0.hasSuffix(suffix) }.sorted()
            .map { try String(contentsOf: file("\(folder)/\($0)"), encoding: .utf8) }
    }
}
