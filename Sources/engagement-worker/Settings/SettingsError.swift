/// Where a value came from.
enum SettingSource: Equatable, Sendable {
    case flag
    case environment
    case file(path: String, line: Int)
    /// systemd's `LoadCredential=`.
    case credentialsDirectory
    case `default`

    var text: String {
        switch self {
        case .flag: "flag"
        case .environment: "environment"
        case .file(let path, let line): "\(path):\(line)"
        case .credentialsDirectory: "$CREDENTIALS_DIRECTORY"
        case .default: "default"
        }
    }
}

/// Everything that is wrong with the configuration, so that nobody has to find it one mistake at a time. The process
/// ends with ``ExitCode/configuration``.
struct SettingsError: Error, Equatable, CustomStringConvertible {
    struct Mistake: Equatable, Sendable, CustomStringConvertible {
        /// What it is about: a flag, a variable, a file, or a place in one.
        var subject: String
        /// What is wrong, as the end of the sentence.
        var problem: String

        /// Foreign text in it is escaped, secrets are never quoted.
        var description: String { TextEscaper.visible("\(subject) \(problem)") }
    }

    var mistakes: [Mistake]

    /// One line a mistake.
    var description: String { mistakes.map(\.description).joined(separator: "\n") }
}
