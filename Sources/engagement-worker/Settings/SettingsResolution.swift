import AskElephant
import Configuration
import FoundationEssentials

extension Settings {
    /// Flag, else environment, else file, else default, for every setting; all mistakes are thrown together.
    ///
    /// - Parameters:
    ///   - flags: what was given, by the flag's name without dashes.
    ///   - environment: of the process. Only the declared names, `PG*` and `CREDENTIALS_DIRECTORY` matter.
    ///   - file: the file that ``configFile(flags:environment:)`` names.
    ///   - exists: whether there is such a file.
    ///   - contents: what a file holds; nil if it cannot be read.
    static func resolve(
        flags: [String: String] = [:], environment: [String: String], file: EnvironmentFile? = nil,
        exists: (String) -> Bool = { FileManager.default.fileExists(atPath: $0) },
        contents: (String) -> String? = { path in
            FileManager.default.contents(atPath: path).map { String(decoding: $0, as: UTF8.self) }
        }
    ) throws(SettingsError) -> Settings {
        var resolution = Resolution(flags: flags, environment: environment, file: file)
        resolution.readAll()
        resolution.refuseUnknownNames()
        resolution.addSurroundings(environment, exists)
        resolution.readDatabaseURL(contents)
        resolution.readWorkspaces(contents)
        resolution.checkTogether()
        guard resolution.mistakes.isEmpty else { throw SettingsError(mistakes: resolution.mistakes) }
        return resolution.settings
    }

    /// The path of the file to read, from its flag or its variable.
    static func configFile(flags: [String: String], environment: [String: String]) -> String? {
        let path = flags["config"] ?? environment[Declaration.prefix + "CONFIG"]
        return path == "" ? nil : path
    }
}

/// The work of one resolution.
private struct Resolution {
    private struct Layer {
        let provider: any ConfigProvider
        let source: @Sendable (Declaration) -> SettingSource
    }

    private let layers: [Layer]
    private let environment: [String: String]
    private let file: EnvironmentFile?
    private(set) var settings = Settings()
    private(set) var mistakes: [SettingsError.Mistake] = []

    init(flags: [String: String], environment: [String: String], file: EnvironmentFile?) {
        self.environment = environment
        self.file = file
        self.mistakes = file?.mistakes ?? []
        let flagValues = flags.map { name, value in
            (AbsoluteConfigKey(["engagement-worker", name]), ConfigValue(.string(value), isSecret: false))
        }
        let fileValues = file?.entries.mapValues(\.value) ?? [:]
        layers = [
            Layer(provider: InMemoryProvider(values: Dictionary(uniqueKeysWithValues: flagValues))) { _ in .flag },
            Layer(provider: EnvironmentVariablesProvider(environmentVariables: environment)) { _ in .environment },
            Layer(provider: EnvironmentVariablesProvider(environmentVariables: fileValues)) { declaration in
                .file(path: file?.path ?? "", line: file?.entries[declaration.variable]?.line ?? 0)
            },
        ]
    }

    mutating func readAll() {
        for declaration in Settings.declarations {
            guard let (text, source) = find(declaration) else { continue }
            do throws(BadValue) {
                try declaration.read(text, &settings)
                settings.sources[declaration.variable] = source
            } catch {
                let quoted = declaration.isQuotable ? " '\(text.prefix(80))'" : ""
                refuse(name(declaration, source) + quoted, error.reason)
            }
        }
    }

    /// The providers are asked for text only: asked for numbers they turn what does not parse into the default.
    private func find(_ declaration: Declaration) -> (String, SettingSource)? {
        for layer in layers {
            let result = try? layer.provider.value(forKey: AbsoluteConfigKey(declaration.key), type: .string)
            guard case .string(let text)? = result?.value?.content else { continue }
            let source = layer.source(declaration)
            if text.isEmpty, declaration.mayBeEmpty, source != .flag { continue }
            return (text, source)
        }
        return nil
    }

    /// Providers only answer questions, so what nobody asks for has to be looked for.
    mutating func refuseUnknownNames() {
        let known = Settings.declarations.map(\.variable)
        for name in environment.keys.sorted() where name.hasPrefix(Declaration.prefix) && !known.contains(name) {
            mistakes.append(.init(subject: name, problem: UnknownName.problem(name, known: known)))
        }
        guard let file else { return }
        for (name, entry) in file.entries.sorted(by: { $0.value.line < $1.value.line }) {
            guard let problem = problem(ofFileName: name, known: known) else { continue }
            mistakes.append(.init(subject: "\(file.path):\(entry.line) (\(name))", problem: problem))
        }
    }

    private func problem(ofFileName name: String, known: [String]) -> String? {
        if name == Declaration.prefix + "CONFIG" { return "cannot stand in the file itself" }
        if name.hasPrefix("PG") { return "is read by libpq from the environment only; write DATABASE_URL here" }
        return known.contains(name) ? nil : UnknownName.problem(name, known: known)
    }

    /// What the surroundings offer when nothing was configured.
    mutating func addSurroundings(_ environment: [String: String], _ exists: (String) -> Bool) {
        let libpq = ["PGHOST", "PGHOSTADDR", "PGPORT", "PGDATABASE", "PGUSER", "PGSERVICE"]
        settings.hasLibpqVariables = libpq.contains { environment[$0, default: ""] != "" }
        guard let directory = environment["CREDENTIALS_DIRECTORY"], directory != "" else { return }
        if settings.databaseURL == nil, settings.databaseURLFile == nil,
            case let file = directory + "/database-url", exists(file)
        {
            settings.databaseURLFile = file
            settings.sources["DATABASE_URL_FILE"] = .credentialsDirectory
        }
        if settings.tokenSource == nil, case let file = directory + "/askelephant-token", exists(file) {
            settings.tokenFile = file
            settings.sources["ASKELEPHANT_TOKEN_FILE"] = .credentialsDirectory
        }
        if settings.webhookSecretFile == nil, case let file = directory + "/webhook-secret", exists(file) {
            settings.webhookSecretFile = file
            settings.sources["ENGAGEMENT_WORKER_WEBHOOK_SECRET_FILE"] = .credentialsDirectory
        }
    }

    /// The file that holds the database's address.
    mutating func readDatabaseURL(_ contents: (String) -> String?) {
        guard let path = settings.databaseURLFile else { return }
        guard settings.databaseURL == nil else {
            return refuse("DATABASE_URL", "and DATABASE_URL_FILE are both set; remove one of them")
        }
        guard let text = contents(path)?.trimmed, !text.isEmpty else {
            return refuse("DATABASE_URL_FILE", "names a file that is empty or cannot be read: \(path)")
        }
        do throws(BadValue) {
            settings.databaseURL = try SettingKind<Secret?>.connection.parse(text)
            settings.sources["DATABASE_URL"] = .file(path: path, line: 1)
        } catch {
            refuse("DATABASE_URL_FILE", "\(path): \(error.reason)")
        }
    }

    /// The file of workspaces; and a command on the schema of one of them takes its token, before one of the surroundings.
    mutating func readWorkspaces(_ contents: (String) -> String?) {
        if let path = settings.workspacesFile {
            guard settings.workspaces.isEmpty else {
                return refuse("workspace", "and workspaces-file are both given; remove one of them")
            }
            guard let text = contents(path) else { return refuse(path, "cannot be read") }
            let (entries, found) = WorkspaceEntry.read(text, path: path)
            mistakes += found
            settings.workspaces += entries
        }
        guard let entry = settings.workspaces.first(where: { $0.schema == settings.schema }) else { return }
        let source = settings.sources["ASKELEPHANT_TOKEN_FILE"]
        guard settings.token == nil, settings.tokenFile == nil || source == .credentialsDirectory else {
            return refuse("ASKELEPHANT_TOKEN", "and the workspace \(entry.name) both give a token for \(entry.schema)")
        }
        settings.tokenFile = entry.tokenFile
        let variable =
            settings.workspacesFile == nil ? "ENGAGEMENT_WORKER_WORKSPACE" : "ENGAGEMENT_WORKER_WORKSPACES_FILE"
        settings.sources["ASKELEPHANT_TOKEN_FILE"] = settings.sources[variable]
    }

    /// Settings that are right each for itself and wrong together.
    mutating func checkTogether() {
        if settings.token != nil, settings.tokenFile != nil {
            refuse("ASKELEPHANT_TOKEN", "and ASKELEPHANT_TOKEN_FILE are both set; remove one of them")
        }
        if (try? BaseURL(settings.baseURL, allowInsecure: settings.allowInsecureBaseURL)) == nil {
            refuse("ASKELEPHANT_BASE_URL", "must begin with https://, or the credential is sent in the clear")
        }
        if settings.backoffBase > settings.backoffCap {
            refuse("backoff-base", "is longer than backoff-cap")
        }
        if settings.isConditional, settings.expand.contains("media_url") {
            refuse("conditional", "needs --expand without media_url: its signed address is another one in every answer")
        }
        if settings.maxDocumentBytes > settings.memoryBudget {
            refuse("max-document-bytes", "is larger than memory-budget")
        }
    }

    private mutating func refuse(_ subject: String, _ problem: String) {
        mistakes.append(.init(subject: subject, problem: problem))
    }

    /// What people wrote, so that they find it.
    private func name(_ declaration: Declaration, _ source: SettingSource) -> String {
        switch source {
        case .flag: "--" + (declaration.flag ?? "")
        case .file: "\(source.text) (\(declaration.variable))"
        case .environment, .credentialsDirectory, .default: declaration.variable
        }
    }
}
