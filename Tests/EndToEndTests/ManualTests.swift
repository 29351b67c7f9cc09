import ArgumentParser
import Foundation
import TestKit
import Testing

@testable import engagement_worker

/// What the manuals have people type is a command line that is taken, and each flag is in them.
struct ManualTests {
    private static let manuals = ["README.md", "deploy/README.md", "sql/README.md", "Tests/README.md"]

    /// Command lines in fenced blocks and between backticks that begin with the binary's name, or have it run by sudo or in a container.
    private static func commandLines(_ path: String) throws -> [String] {
        let text = try String(contentsOf: Manual.file(path), encoding: .utf8)
        var lines: [String] = []
        var isFenced = false
        for line in text.split(separator: "\n", omittingEmptySubsequences: false) {
            if line.drop(while: { $0 == " " }).hasPrefix("```") {
                isFenced.toggle()
            } else if isFenced {
                lines.append(String(line.drop { $0 == "$" || $0 == " " }))
            } else {
                lines += line.matches(of: /`(engagement-worker [^`]*)`/).map { String($0.output.1) }
            }
        }
        return lines.compactMap { line in
            var words = line.split(separator: " ")[...]
            if words.first == "sudo" { words = words.dropFirst() }
            if words.starts(with: ["docker", "compose"]) || words.starts(with: ["kubectl", "exec"]) {
                words = words.drop { $0 != "engagement-worker" }
            }
            // Behind variables, where there are some.
            words = words.drop { $0.contains("=") && !$0.hasPrefix("-") }
            return words.first == "engagement-worker" ? words.dropFirst().joined(separator: " ") : nil
        }
    }

    @Test func everyCommandLineIsTaken() throws {
        var count = 0
        for path in Self.manuals {
            for line in try Self.commandLines(path) {
                // What goes on in the shell, and what stands for something of the reader's.
                let own = line.split(whereSeparator: { "|>&#".contains($0) }).first.map(String.init) ?? ""
                let words = own.split(separator: " ").map { word in
                    String(word).replacing("…", with: "x").replacing("'", with: "")
                }
                guard !words.contains("COMMAND") else { continue }
                count += 1
                do {
                    _ = try EngagementWorker.parseAsRoot(words)
                } catch {
                    Issue.record("\(path): engagement-worker \(own): \(EngagementWorker.message(for: error))")
                }
            }
        }
        #expect(count > 30, "\(count)")
    }

    /// Every flag that is no setting is named in the row of its command.
    @Test func everyFlagIsDocumented() throws {
        let settings = Set(Settings.declarations.compactMap(\.flag))
        let rows = try Manual("README.md").section("Commands").rows
        var count = 0
        for (name, command) in Self.leaves(of: EngagementWorker.self, name: []) {
            let row = try #require(rows.first { $0.first == "`\(name)`" }, "\(name)")
            let help = EngagementWorker.helpMessage(for: command, columns: 200)
            let flags = Set(help.matches(of: /--([a-z][a-z-]*)/).map { String($0.output.1) })
            for flag in flags.subtracting(settings).subtracting(["help", "version", "output"]) {
                // Of a switch that can be turned off, too.
                if flag.hasPrefix("no-"), settings.contains(String(flag.dropFirst(3))) { continue }
                count += 1
                #expect(row.joined().contains("`--\(flag)") || row.joined().contains("--\(flag) "), "\(name) --\(flag)")
            }
        }
        #expect(count > 25, "\(count)")
    }

    private static func leaves(
        of command: any ParsableCommand.Type, name: [String]
    ) -> [(name: String, command: any ParsableCommand.Type)] {
        let below = command.configuration.subcommands
        guard !below.isEmpty else { return [(name.joined(separator: " "), command)] }
        return below.flatMap { leaves(of: $0, name: name + [$0._commandName]) }
    }
}
