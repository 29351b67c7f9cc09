import FoundationEssentials

extension Settings {
    /// Reads the configuration file, if one is named, and resolves everything.
    static func load(flags: [String: String], environment: [String: String]) throws(SettingsError) -> Settings {
        let file = configFile(flags: flags, environment: environment).map(readFile)
        return try resolve(flags: flags, environment: environment, file: file)
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
