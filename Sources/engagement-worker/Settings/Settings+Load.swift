import FoundationEssentials

extension Settings {
    /// Reads the configuration file, if one is named, and resolves everything.
    static func load(flags: [String: String], environment: [String: String]) throws(SettingsError) -> Settings {
        let file = configFile(flags: flags, environment: environment).map(readFile)
        var settings = try resolve(flags: flags, environment: environment, file: file)
        if let path = settings.workspacesFile {
            guard let data = FileManager.default.contents(atPath: path) else {
                throw SettingsError(mistakes: [.init(subject: path, problem: "cannot be read")])
            }
            try settings.readWorkspaces(String(decoding: data, as: UTF8.self), path: path)
        }
        // A command on the schema of one of them takes its token.
        if settings.tokenSource == nil {
            settings.tokenFile = settings.workspaces.first { $0.schema == settings.schema }?.tokenFile
        }
        return settings
    }

    private static func readFile(_ path: String) -> EnvironmentFile {
        guard let data = FileManager.default.contents(atPath: path) else {
            return EnvironmentFile(path: path, unreadable: "cannot be read")
        }
        guard let text = String(validating: data, as: UTF8.self) else {
            return EnvironmentFile(path: path, unreadable: "is not UTF-8")
        }
        return EnvironmentFile(path: path, text: text)
    }
}
