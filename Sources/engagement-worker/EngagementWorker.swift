import ArgumentParser

@main
struct EngagementWorker: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "engagement-worker")

    @OptionGroup(title: "Settings") var settings: SettingsOptions
}
