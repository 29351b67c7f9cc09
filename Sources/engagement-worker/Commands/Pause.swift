import ArgumentParser
import Postgres
import SQLText

struct Pause: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Pause all workers of the schema.",
        discussion: "Nothing new is claimed from then on; what is in hand ends. Inserts go on, and wait."
    )

    @Option(help: "Who pauses, and why, for status and the heartbeat; without it user and host.") var by: String?
    @Flag(help: "Say whether they would be paused, and pause nobody.") var dryRun = false
    @OptionGroup(title: "Settings") var options: SettingsOptions

    func run() async throws {
        let session = try await Setup.connect(try Setup.settings(options))
        let name = by ?? "\(Setup.userName)@\(Setup.hostName)"
        let before =
            try await dryRun
            ? session.query(Statements.controlShow).first
            : session.query(Statements.controlPause, [.text(name)]).first
        await session.close()
        if let before, try before.boolean("paused") {
            let since = try before.textIfPresent("paused_since") ?? "unknown"
            return print("paused already, by \(try before.textIfPresent("paused_by") ?? "somebody") since \(since)")
        }
        print(dryRun ? "would pause, as \(name)" : "paused; to go on: engagement-worker resume")
    }
}

struct Resume: AsyncParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Let all workers of the schema go on after a pause.")

    @Flag(help: "Say whether there is a pause, and leave it.") var dryRun = false
    @OptionGroup(title: "Settings") var options: SettingsOptions

    func run() async throws {
        let session = try await Setup.connect(try Setup.settings(options))
        let before = try await session.query(dryRun ? Statements.controlShow : Statements.controlResume).first
        await session.close()
        guard let before, try before.boolean("paused") else { return print("nobody had paused it") }
        let length = try before.doubleIfPresent("paused_s").map { " after \(Int($0)) s" } ?? ""
        print(
            "\(dryRun ? "would resume" : "resumed")\(length); it was paused by \(try before.textIfPresent("paused_by") ?? "somebody")"
        )
    }
}
