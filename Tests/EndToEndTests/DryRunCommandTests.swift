import Foundation
import Simulator
import TestKit
import Testing

/// `--dry-run` of the commands that write: it says what the command then does, and changes nothing.
struct DryRunCommandTests {
    /// Every row of every table of ours.
    private func everything(_ stage: Stage) async throws -> String? {
        let tables = try await stage.database.value(
            "SELECT string_agg(t, ' ') FROM unnest(own_tables()) AS t WHERE to_regclass(t) IS NOT NULL")
        var digests = ""
        for table in try #require(tables).split(separator: " ") {
            digests +=
                try await stage.database.value(
                    "SELECT md5(coalesce(string_agg(r::text, '|' ORDER BY r::text), '')) FROM \(table) AS r") ?? ""
        }
        return digests
    }

    /// "purged: contacts 3, jobs 1" and "would be purged: …" without the words before.
    private func counts(_ output: String) -> Substring {
        output.split(separator: "\n")[0].drop { $0 != ":" }
    }

    @Test func aPurgeIsRehearsed() async throws {
        try await Stage.run(settings: SimulatorSettings()) { stage in
            try await stage.insert(stage.ids(0..<40))
            _ = try await stage.command(["run", "--once"])
            try await stage.database.run(
                "INSERT INTO enrichment_queue (engagement_id, available_at) VALUES ('\(stage.world.id(1))', 'infinity')"
            )
            let someone = try await stage.database.value(
                "SELECT primary_email FROM contacts WHERE primary_email IS NOT NULL ORDER BY id LIMIT 1")
            let address = try #require(someone)
            for arguments in [[stage.world.id(1), stage.world.id(2)], ["--email", address], ["ngmt_never"]] {
                let before = try await everything(stage)
                let rehearsed = try await stage.command(["purge", "--dry-run"] + arguments)
                #expect(rehearsed.status == 0 && rehearsed.output.hasPrefix("would be purged: "), "\(rehearsed.errors)")
                #expect(try await everything(stage) == before, "\(arguments)")
                let purged = try await stage.command(["purge"] + arguments)
                #expect(purged.status == 0, "\(purged.errors)")
                #expect(counts(rehearsed.output) == counts(purged.output))
            }
        }
    }

    @Test func lettersAndIDsAreOnlyCounted() async throws {
        try await Stage.run { stage in
            try await stage.insert(["no id", "nor this"])
            _ = try await stage.command(["run", "--once"])
            let before = try await everything(stage)
            for (arguments, said) in [
                (["dead", "replay", "--all"], "would queue 2\n"),
                (["dead", "replay", "--cause", "invalid_id"], "would queue 2\n"),
                (["dead", "discard", "--all"], "would discard 2\n"),
                (["enqueue", "ngmt_1", "ngmt_2"], "would queue 2\n"),
            ] {
                let ended = try await stage.command(arguments + ["--dry-run"])
                #expect(ended.status == 0 && ended.output == said, "\(arguments): \(ended.output)\(ended.errors)")
            }
            let none = try await stage.command(["dead", "discard", "ngmt_never", "--dry-run"])
            #expect(none.status == 1 && none.output == "would discard 0\n")
            #expect(none.errors == "no dead letter of ngmt_never\n")
            #expect(try await stage.command(["enqueue", "--dry-run", "no id"]).status == 64)
            #expect(try await everything(stage) == before)
            #expect(try await stage.command(["dead", "discard", "--all"]).output == "discarded 2\n")
        }
    }
}
