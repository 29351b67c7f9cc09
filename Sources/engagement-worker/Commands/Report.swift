import ArgumentParser
import Enrichment
import Postgres

struct Report: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Write the last day as one page of HTML: rate and age, coverage, failures, scopes, what was slow.",
        discussion:
            "The page needs nothing but itself, and holds nothing of an engagement but its id: attach it to a ticket."
    )

    @Option(name: .customLong("html"), help: "The file to write; - for standard output.") var file: String
    @OptionGroup(title: "Settings") var options: SettingsOptions

    func run() async throws {
        let settings = try Setup.settings(options)
        let session = try await Setup.connect(settings)
        var time: [UInt8] = []
        Timestamp(milliseconds: Log.systemTime()).appendFull(to: &time)
        let minute = String(decoding: time, as: UTF8.self).prefix(16).replacing("T", with: " ")
        let page = try await Page(session, schema: settings.schema, time: minute + " UTC").html
        await session.close()
        guard file != "-" else { return writeOutput(page) }
        do { try Setup.write(page, to: file) } catch {
            throw Failure(
                .configuration, "\(file) cannot be written",
                hint: "name a file in a folder that \(Setup.userName) may write to")
        }
        writeOutput("written: \(file)\n")
    }
}
