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
        let settings = try Setup.settings(options)
        let session = try await Setup.connect(settings, writes: !dryRun)
        let name = by ?? "\(Setup.userName)@\(Setup.hostName)"
        let rows = try await session.query(
            dryRun ? Statements.controlShow : Statements.controlPause, dryRun ? [] : [.text(name)])
        await session.close()
        let before = try Pause.row(rows, settings)
        if try before.boolean("paused") {
            let since = try before.textIfPresent("paused_since") ?? "unknown"
            return print("paused already, by \(try Pause.who(before)) since \(since)")
        }
        print(dryRun ? "would pause, as \(TextEscaper.visible(name))" : "paused; to go on: engagement-worker resume")
    }

    /// The one row of `control`: without it nobody can be held, or let go. It also has the key of the hashes of what was purged.
    fileprivate static func row(_ rows: [Row], _ settings: Settings) throws(Failure) -> Row {
        guard let row = rows.first else {
            throw Failure(
                .schemaMismatch, "the schema \(settings.schema) is damaged: its table control has no row",
                hint: "restore it from a backup, since under a new key what was purged may come back; if nothing was: "
                    + "INSERT INTO \(quoteIdentifier(settings.schema)).control DEFAULT VALUES;")
        }
        return row
    }

    fileprivate static func who(_ row: Row) throws -> String {
        TextEscaper.visible(try row.textIfPresent("paused_by") ?? "somebody")
    }
}

struct Resume: AsyncParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Let all workers of the schema go on after a pause.")

    @Flag(help: "Say whether there is a pause, and leave it.") var dryRun = false
    @OptionGroup(title: "Settings") var options: SettingsOptions

    func run() async throws {
        let settings = try Setup.settings(options)
        let session = try await Setup.connect(settings, writes: !dryRun)
        let rows = try await session.query(dryRun ? Statements.controlShow : Statements.controlResume)
        await session.close()
        let before = try Pause.row(rows, settings)
        guard try before.boolean("paused") else { return print("nobody had paused it") }
        let length = try before.doubleIfPresent("paused_s").map { " after \(Int($0)) s" } ?? ""
        print("\(dryRun ? "would resume" : "resumed")\(length); it was paused by \(try Pause.who(before))")
    }
}
