extension Settings {
    /// Every setting, in the order in which people see them. Flags, variables, file, `config print`, `config example`
    /// and the help all come from here.
    static let declarations: [Declaration] = connections + work + webhooks + watching + limits + behaviour

    private static let connections: [Declaration] = [
        .variable(
            "DATABASE_URL", \.databaseURL, .connection, sample: "postgresql://worker@db.example.com/crm",
            help: "The database; without it libpq's own PG* variables hold"),
        .variable(
            "DATABASE_URL_FILE", \.databaseURLFile, .path, sample: "/run/secrets/database-url",
            help: "A file that holds DATABASE_URL instead, so that its password is in no environment"),
        .variable(
            "ENGAGEMENT_WORKER_MIGRATE_DATABASE_URL", \.migrateDatabaseURL, .connection,
            sample: "postgresql://owner@db.example.com/crm",
            help: "The database as a role that may create tables, for migrations only"),
        .variable(
            "ENGAGEMENT_WORKER_LISTEN_DATABASE_URL", \.listenDatabaseURL, .connection,
            sample: "postgresql://worker@db.example.com:5432/crm",
            help: "A direct connection for LISTEN, when DATABASE_URL leads through a transaction pooler"),
        .variable(
            "ASKELEPHANT_TOKEN", \.token, .secret, sample: "sk-apik_...",
            help: "The credential: a key that begins with sk-apik_, or an OAuth access token"),
        .variable(
            "ASKELEPHANT_TOKEN_FILE", \.tokenFile, .path, sample: "/run/secrets/askelephant-token",
            help: "A file that holds the credential, read again each second"),
        .variable("ASKELEPHANT_BASE_URL", \.baseURL, .baseURL, help: "The address of AskElephant's API"),
        .variable(
            "SSL_CERT_FILE", \.certificateFile, .path, sample: "/etc/ssl/certs/ours.pem",
            help: "A file of certificate authorities to trust for the API, instead of the system's"),
        .flag(
            "allow-insecure-base-url", \.allowInsecureBaseURL, .boolean,
            help: "Allow http:// to another machine, which shows the credential to the network"),
    ]

    private static let work: [Declaration] = [
        .flag("schema", \.schema, .schemaName, help: "The schema of the queue and of all tables"),
        .flag(
            "workspace", \.workspaces, .workspaces, sample: "acme=acme,/run/secrets/acme-token",
            help: "A workspace that run works for, with a schema and a token of its own; several may be given"),
        .flag(
            "workspaces-file", \.workspacesFile, .path, sample: "/etc/engagement-worker.workspaces",
            help: "A file of workspaces, one a line"),
        .flag("concurrency", \.concurrency, .integer(1...1024), help: "The most requests to the API at a time"),
        .flag(
            "max-requests-per-second", \.maxRequestsPerSecond, .limit(1...10_000), sample: "50",
            help: "The most requests to the API a second, of all workers of the credential together"),
        .flag("writers", \.writers, .integer(1...8), help: "Connections that write to the database"),
        .flag("expand", \.expand, .subset(of: allParts), help: "The parts of an engagement to fetch"),
        .flag(
            "conditional", \.isConditional, .boolean,
            help: "Ask with If-None-Match whether an engagement changed, which needs --expand without media_url"),
        .flag(
            "credential-name", \.credentialName, .plainName,
            help: "The name under which is kept what this credential may not read"),
        .flag(
            "on-scope-loss", \.onScopeLoss, .choice,
            help: "What becomes of stored data of a part that the credential may no longer read"),
        .flag(
            "poll-interval", \.pollInterval, .duration(.milliseconds(10) ... .seconds(3600)),
            help: "How often to look at the queue when nothing rang"),
        .flag(
            "lease", \.lease, .duration(.seconds(5) ... .seconds(600)),
            help: "How long a claimed job is held without a sign of life"),
        .flag(
            "max-attempts", \.maxAttempts, .integer(1...100),
            help: "Failures charged to a job before it is a dead letter"),
        .flag(
            "backoff-base", \.backoffBase, .duration(.milliseconds(1) ... .seconds(3600)),
            help: "The longest wait after the first failure; it doubles with each"),
        .flag(
            "backoff-cap", \.backoffCap, .duration(.milliseconds(1) ... .seconds(7 * 86_400)),
            help: "The longest wait after any failure"),
        .flag(
            "media-url-ttl", \.mediaURLTTL, .duration(.seconds(1) ... .seconds(30 * 86_400)),
            help: "How long a signed media URL is kept"),
        .flag(
            "retain-transcripts", \.transcriptRetention,
            .durationOrNone(.seconds(86_400) ... .seconds(36_500 * 86_400)),
            sample: "400d",
            help: "Drop transcripts of engagements that took place longer ago; without it they are kept"),
        .flag(
            "sweep-interval", \.sweepInterval, .durationOrNone(.seconds(60) ... .seconds(30 * 86_400)), sample: "6h",
            help: "How often run looks through the API's list for what nobody inserted; without it never"),
    ]

    private static let webhooks: [Declaration] = [
        .flag("receive", \.receives, .boolean, help: "Let run take webhooks too"),
        .flag("receive-address", \.receiveAddress, .listenAddress, help: "Where webhooks are taken, over plain HTTP"),
        .flag(
            "webhook-secret-file", \.webhookSecretFile, .path, sample: "/run/secrets/webhook-secret",
            help: "A file that holds the signing secret, one a line during a rotation, read again each second"),
        .flag(
            "event-retention", \.eventRetention, .duration(.seconds(86_400) ... .seconds(3_650 * 86_400)),
            help: "How long it is remembered which webhooks were taken"),
    ]

    private static let watching: [Declaration] = [
        .flag(
            "http-address", \.httpAddress, .listenAddressOrNone, sample: "127.0.0.1:9464",
            help: "Where run answers /livez, /readyz and /metrics, over plain HTTP; without it nowhere"),
        .variable(
            "ENGAGEMENT_WORKER_HEARTBEAT_URL", \.heartbeatURL, .secretAddress, sample: "https://hc-ping.com/...",
            help: "An address that run asks for once a minute while it is healthy, for an alarm when it stays away"),
    ]

    private static let limits: [Declaration] = [
        .flag(
            "request-timeout", \.requestTimeout, .duration(.milliseconds(100) ... .seconds(600)),
            help: "The most time for one request, its body included"),
        .flag(
            "statement-timeout", \.statementTimeout, .duration(.seconds(1) ... .seconds(60)),
            help: "The most time for one statement; readers of changes rely on 60s at most"),
        .flag(
            "start-timeout", \.startTimeout, .duration(.seconds(1) ... .seconds(3600)),
            help: "How long to try to reach the database at start"),
        .flag(
            "drain-timeout", \.drainTimeout, .duration(.seconds(1) ... .seconds(600)),
            help: "How long jobs in hand may take to end when the worker is asked to stop"),
        .flag(
            "max-document-bytes", \.maxDocumentBytes, .bytes(1 << 10...256 << 20),
            help: "The largest engagement to accept"),
        .flag(
            "memory-budget", \.memoryBudget, .bytes(1 << 20...64 << 30),
            help: "The most memory for documents between the API and the database"),
    ]

    private static let behaviour: [Declaration] = [
        .flag("auto-migrate", \.autoMigrate, .boolean, help: "Let run bring the schema up to date by itself"),
        .flag("log-format", \.logFormat, .choice, help: "auto is pretty on a terminal and json otherwise"),
        .flag("log-level", \.logLevel, .choice, help: "The least level to log"),
        .flag("color", \.color, .choice, help: "When to use colours; auto honours NO_COLOR, CLICOLOR_FORCE and TERM"),
        .flag(
            "config", \.configFile, .path, sample: "/etc/engagement-worker.env",
            help: "A file with NAME=value lines for any of these variables but this one"),
    ]

    static func declaration(ofFlag flag: String) -> Declaration? {
        declarations.first { $0.flag == flag }
    }

    static func declaration(ofVariable variable: String) -> Declaration? {
        declarations.first { $0.variable == variable }
    }
}
