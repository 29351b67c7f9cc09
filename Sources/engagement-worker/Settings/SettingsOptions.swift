import ArgumentParser

/// All flags of ``Settings``, for every command that needs them. They are text here, because ``Settings`` reads flags,
/// environment and file alike, and reports the mistakes of all three together.
struct SettingsOptions: ParsableArguments {
    @Option(help: .setting("config")) var config: String?

    @Option(help: .setting("schema")) var schema: String?
    @Option(name: [.customShort("j"), .long], help: .setting("concurrency")) var concurrency: String?
    @Option(help: .setting("max-requests-per-second")) var maxRequestsPerSecond: String?
    @Option(help: .setting("workspace")) var workspace: [String] = []
    @Option(help: .setting("workspaces-file")) var workspacesFile: String?
    @Option(help: .setting("writers")) var writers: String?
    @Option(help: .setting("expand")) var expand: String?
    @Flag(inversion: .prefixedNo, help: .setting("conditional")) var conditional: Bool?
    @Option(help: .setting("credential-name")) var credentialName: String?
    @Option(help: .setting("on-scope-loss")) var onScopeLoss: String?
    @Option(help: .setting("poll-interval")) var pollInterval: String?
    @Option(help: .setting("lease")) var lease: String?
    @Option(help: .setting("max-attempts")) var maxAttempts: String?
    @Option(help: .setting("backoff-base")) var backoffBase: String?
    @Option(help: .setting("backoff-cap")) var backoffCap: String?
    @Option(name: .customLong("media-url-ttl"), help: .setting("media-url-ttl")) var mediaURLTTL: String?
    @Option(help: .setting("retain-transcripts")) var retainTranscripts: String?
    @Option(help: .setting("sweep-interval")) var sweepInterval: String?

    @Flag(inversion: .prefixedNo, help: .setting("receive")) var receive: Bool?
    @Option(help: .setting("receive-address")) var receiveAddress: String?
    @Option(help: .setting("webhook-secret-file")) var webhookSecretFile: String?
    @Option(help: .setting("event-retention")) var eventRetention: String?

    @Option(name: .customLong("http-address"), help: .setting("http-address")) var httpAddress: String?

    @Option(help: .setting("request-timeout")) var requestTimeout: String?
    @Option(help: .setting("statement-timeout")) var statementTimeout: String?
    @Option(help: .setting("start-timeout")) var startTimeout: String?
    @Option(help: .setting("drain-timeout")) var drainTimeout: String?
    @Option(help: .setting("max-document-bytes")) var maxDocumentBytes: String?
    @Option(help: .setting("memory-budget")) var memoryBudget: String?

    @Flag(inversion: .prefixedNo, help: .setting("auto-migrate")) var autoMigrate: Bool?
    @Flag(
        name: .customLong("allow-insecure-base-url"), inversion: .prefixedNo,
        help: .setting("allow-insecure-base-url")) var allowInsecureBaseURL: Bool?
    @Option(help: .setting("log-format")) var logFormat: String?
    @Option(help: .setting("log-level")) var logLevel: String?
    @Option(help: .setting("color")) var color: String?

    /// What was given, by the flag's name, as ``Settings/load(flags:environment:)`` takes it.
    var flags: [String: String] {
        let given: [String: String?] = [
            "config": config, "schema": schema, "concurrency": concurrency, "writers": writers,
            "workspace": workspace.isEmpty ? nil : workspace.joined(separator: "\n"),
            "workspaces-file": workspacesFile, "expand": expand,
            "max-requests-per-second": maxRequestsPerSecond, "conditional": conditional?.description,
            "credential-name": credentialName, "on-scope-loss": onScopeLoss, "poll-interval": pollInterval,
            "lease": lease, "max-attempts": maxAttempts, "backoff-base": backoffBase, "backoff-cap": backoffCap,
            "media-url-ttl": mediaURLTTL, "retain-transcripts": retainTranscripts, "sweep-interval": sweepInterval,
            "receive": receive?.description, "receive-address": receiveAddress,
            "webhook-secret-file": webhookSecretFile, "event-retention": eventRetention,
            "http-address": httpAddress, "request-timeout": requestTimeout, "statement-timeout": statementTimeout,
            "start-timeout": startTimeout, "drain-timeout": drainTimeout, "max-document-bytes": maxDocumentBytes,
            "memory-budget": memoryBudget, "auto-migrate": autoMigrate?.description,
            "allow-insecure-base-url": allowInsecureBaseURL?.description, "log-format": logFormat,
            "log-level": logLevel, "color": color,
        ]
        return given.compactMapValues { $0 }
    }
}

extension ArgumentHelp {
    /// The declaration's help, with the variable that does the same and the default.
    fileprivate static func setting(_ flag: String) -> ArgumentHelp {
        guard let declaration = Settings.declaration(ofFlag: flag) else {
            preconditionFailure("--\(flag) is not declared")
        }
        let value = declaration.show(Settings()).map { "; default: \($0)" } ?? ""
        return ArgumentHelp("\(declaration.help) [\(declaration.variable)\(value)]", valueName: "value")
    }
}
