/// One of several workspaces that a process works for: `NAME=SCHEMA,TOKEN-FILE`.
struct WorkspaceEntry: Equatable, Sendable {
    /// In the log, and in views as `_workspace`.
    var name: String
    var schema: String
    var tokenFile: String
}

extension WorkspaceEntry: CustomStringConvertible {
    static let form = "NAME=SCHEMA,TOKEN-FILE"

    init(_ text: String) throws(BadValue) {
        let sides = text.split(separator: "=", maxSplits: 1).map(String.init)
        // A path may have commas, a schema may not.
        let parts = sides.count == 2 ? sides[1].split(separator: ",", maxSplits: 1).map(String.init) : []
        guard parts.count == 2 else { throw BadValue("is no \(Self.form)") }
        guard !text.contains(where: \.isWhitespace) else {
            throw BadValue("has a space in it; a comment needs a line of its own")
        }
        name = try SettingKind<String>.plainName.parse(sides[0])
        schema = try SettingKind<String>.schemaName.parse(parts[0])
        tokenFile = parts[1]
    }

    /// The workspaces of a file, one a line; `#` begins a comment. And what is wrong with it.
    static func read(
        _ text: String, path: String
    ) -> (entries: [WorkspaceEntry], mistakes: [SettingsError.Mistake]) {
        var entries: [WorkspaceEntry] = []
        var mistakes: [SettingsError.Mistake] = []
        for (index, line) in text.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline).enumerated() {
            let entry = line.trimmed
            guard !entry.isEmpty, !entry.hasPrefix("#") else { continue }
            do { entries.append(try WorkspaceEntry(entry)) } catch {
                mistakes.append(.init(subject: "\(path):\(index + 1)", problem: error.reason))
            }
        }
        do { try check(entries) } catch { mistakes.append(.init(subject: path, problem: error.reason)) }
        if entries.isEmpty, mistakes.isEmpty { mistakes.append(.init(subject: path, problem: "names no workspace")) }
        return (entries, mistakes)
    }

    var description: String { "\(name)=\(schema),\(tokenFile)" }

    /// Two with one name or one schema are a mistake.
    static func check(_ entries: [WorkspaceEntry]) throws(BadValue) {
        for values in [entries.map(\.name), entries.map(\.schema)] {
            guard let twice = values.first(where: { value in values.count { $0 == value } > 1 }) else { continue }
            throw BadValue("names \(twice) twice")
        }
    }
}

extension SettingKind where Value == [WorkspaceEntry] {
    /// Any number, separated by spaces or line ends.
    static var workspaces: Self {
        Self(
            form: "\(WorkspaceEntry.form), several with spaces between",
            parse: { text throws(BadValue) in
                var entries: [WorkspaceEntry] = []
                for word in text.split(whereSeparator: \.isWhitespace) {
                    entries.append(try WorkspaceEntry(String(word)))
                }
                try WorkspaceEntry.check(entries)
                return entries
            },
            show: { $0.isEmpty ? nil : $0.map(\.description).joined(separator: " ") }
        )
    }
}

extension Settings {
    /// The settings of each workspace that `run` works for; these themselves where none is named.
    func members() throws(SettingsError) -> [Settings] {
        guard !workspaces.isEmpty else { return [self] }
        let given = [
            ("ENGAGEMENT_WORKER_SCHEMA", "schema"), ("ASKELEPHANT_TOKEN", "ASKELEPHANT_TOKEN"),
            ("ASKELEPHANT_TOKEN_FILE", "ASKELEPHANT_TOKEN_FILE"),
        ].filter { name, _ in
            let isTheirs = tokenFile != nil && workspaces.contains { $0.tokenFile == tokenFile }
            return sources[name].map { $0 != .credentialsDirectory && !(name.hasSuffix("TOKEN_FILE") && isTheirs) }
                ?? false
        }
        var mistakes = given.map { SettingsError.Mistake(subject: $0.1, problem: "and workspaces are both given") }
        if receives {
            mistakes.append(
                .init(
                    subject: "receive",
                    problem: "takes one workspace; run engagement-worker receive --schema … for each of several"))
        }
        guard mistakes.isEmpty else { throw SettingsError(mistakes: mistakes) }
        return workspaces.map { entry in
            var settings = self
            settings.workspace = entry.name
            settings.schema = entry.schema
            (settings.token, settings.tokenFile) = (nil, entry.tokenFile)
            return settings
        }
    }
}
