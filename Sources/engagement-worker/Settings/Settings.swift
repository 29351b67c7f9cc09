import AskElephant
import Enrichment

/// Everything that can be configured, read once and checked all at once. The values here are the defaults; what each
/// means and may be stands in ``declarations``.
struct Settings: Equatable, Sendable {
    static let allParts = [
        "companies", "contacts", "owner", "action_items", "signals", "transcript", "media_url", "tags",
    ]

    // Secrets and addresses: environment or file only.
    var databaseURL: Secret?
    var databaseURLFile: String?
    var migrateDatabaseURL: Secret?
    var listenDatabaseURL: Secret?
    var token: Secret?
    var tokenFile: String?
    var certificateFile: String?
    var baseURL = "https://app.askelephant.ai/api"

    // The work.
    var schema = "askelephant"
    var workspaces: [WorkspaceEntry] = []
    var workspacesFile: String?
    /// The one of several that these settings are of.
    var workspace: String?
    var concurrency = 64
    var maxRequestsPerSecond: Int?
    var writers = 2
    var expand = Settings.allParts
    var credentialName = "default"
    var onScopeLoss = ScopeLoss.keep
    var isConditional = false
    var pollInterval: Duration = .seconds(1)
    var lease: Duration = .seconds(60)
    var maxAttempts = 8
    var backoffBase: Duration = .seconds(1)
    var backoffCap: Duration = .seconds(600)
    var mediaURLTTL: Duration = .seconds(3600)

    var transcriptRetention: Duration?
    var sweepInterval: Duration?

    // Webhooks.
    var receives = false
    var receiveAddress = ListenAddress(host: "127.0.0.1", port: 8321)
    var webhookSecretFile: String?
    var eventRetention: Duration = .seconds(30 * 86_400)

    // Watching.
    var httpAddress: ListenAddress?
    var heartbeatURL: Secret?

    // Limits.
    var requestTimeout: Duration = .seconds(30)
    var statementTimeout: Duration = .seconds(10)
    var startTimeout: Duration = .seconds(30)
    var drainTimeout: Duration = .seconds(25)
    var maxDocumentBytes = 32 << 20
    var memoryBudget = 64 << 20

    // Behaviour.
    var autoMigrate = false
    var allowInsecureBaseURL = false
    var logFormat = LogFormat.auto
    var logLevel = LogLevel.info
    var color = ColorChoice.auto
    var configFile: String?

    /// Where each value came from, by the name of its variable; what is not in here is the default.
    var sources: [String: SettingSource] = [:]
    /// Whether libpq finds the database by its own variables.
    var hasLibpqVariables = false
}

/// What becomes of stored data of a part that the credential may no longer read.
enum ScopeLoss: String, CaseIterable, Sendable {
    case keep, purge
}

/// Where the token is to be had.
enum TokenSource: Equatable, Sendable {
    case value(Secret)
    /// To be read by whoever uses it, and again when it changes.
    case file(String)
}

extension Settings {
    /// The token, its file, or nil when neither was given.
    var tokenSource: TokenSource? {
        token.map { .value($0) } ?? tokenFile.map { .file($0) }
    }

    /// What to give to libpq: `DATABASE_URL`, else the empty text, with which it goes by its own `PG*` variables. Nil
    /// when neither was given; `run` then has nothing to work on.
    var database: Secret? {
        databaseURL ?? (hasLibpqVariables ? Secret("", redacted: "libpq's PG* variables") : nil)
    }

    /// For migrations: their own address, or the worker's.
    var migrateDatabase: Secret? { migrateDatabaseURL ?? database }
}
