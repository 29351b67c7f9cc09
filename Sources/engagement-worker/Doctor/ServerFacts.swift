import Enrichment
import Postgres

/// What the server says of itself.
struct ServerFacts: Equatable, Sendable {
    var version = "15.0"
    var versionNumber: Int64 = 150_000
    var encoding = "UTF8"
    var role = "worker"
    var database = "crm"
    var isStandby = false
    var hasSchema = true
    /// The database's clock minus the host's, in seconds, and how long the answer took, by which it may be wrong.
    var skew: Double = 0
    var roundTrip: Double = 0
    var connectionsMax: Int64 = 97
    /// Nil: the role may not know.
    var connectionsUsed: Int64? = 1
    /// Why statements would stand in the server's log, documents and all; nil: they would not.
    var logging: Logging?

    struct Logging: Equatable, Sendable {
        /// The setting that is on.
        var why: String
        /// What keeps documents out of it.
        var remedy: String
    }

    /// - Parameters:
    ///   - connectionsNeeded: by a worker.
    ///   - receives: webhooks are signed with the time, which is compared with the host's.
    func findings(connectionsNeeded: Int, receives: Bool) -> [Finding] {
        [base, clock(receives), room(connectionsNeeded), log]
    }

    private var base: Finding {
        if versionNumber < 150_000 || encoding != "UTF8" {
            return .failure(
                "database", "PostgreSQL \(version) with \(encoding): 15 or newer with UTF-8 is needed",
                next: "point DATABASE_URL at such a database")
        }
        if isStandby {
            return .failure("database", "a standby, which takes no writes", next: "point DATABASE_URL at the primary")
        }
        return .ok("database", "PostgreSQL \(version), UTF-8; \(role) on \(database)")
    }

    private func clock(_ receives: Bool) -> Finding {
        let off = abs(skew) - roundTrip
        guard off > 30 else {
            return .ok("clock", "this host's and the database's differ by \(Wording.seconds(max(0, off)))")
        }
        let text =
            "this host's clock is \(Wording.seconds(abs(skew))) \(skew > 0 ? "behind" : "ahead of") the database's"
        let next = "set it right: timedatectl set-ntp true"
        guard receives, off > 300 else {
            return .warning(
                "clock", text + "; work goes by the database's, only log lines are dated wrongly", next: next)
        }
        return .failure("clock", text + ": every webhook would be refused as too old or too new", next: next)
    }

    private func room(_ needed: Int) -> Finding {
        guard let used = connectionsUsed else {
            return .skipped("connections", "how many are open is not for \(role) to know")
        }
        let text = "\(used) of \(connectionsMax) are open, a worker takes \(needed)"
        return connectionsMax - used >= Int64(needed)
            ? .ok("connections", text)
            : .warning("connections", text, next: "raise max_connections, or put a pooler before it")
    }

    private var log: Finding {
        guard let logging else { return .ok("server log", "no statement of ours would stand in it with its documents") }
        return .warning(
            "server log", "\(logging.why): documents would stand in the server's log",
            next: "as a superuser: ALTER ROLE \(quoteIdentifier(role)) SET \(logging.remedy);")
    }
}

extension ServerFacts {
    /// - Parameters:
    ///   - host: the host's clock when it was asked.
    ///   - roundTrip: in seconds.
    init(_ row: Row, host: Double, roundTrip: Double) throws {
        version = try row.text("version")
        versionNumber = try row.integer("version_num")
        encoding = try row.text("encoding")
        role = try row.text("role")
        database = try row.text("database")
        isStandby = try row.boolean("is_standby")
        hasSchema = try row.boolean("has_schema")
        skew = (try row.doubleIfPresent("seconds") ?? host) - host
        self.roundTrip = roundTrip
        connectionsMax = try row.integer("connections_max")
        connectionsUsed = try row.integerIfPresent("connections_used")
        logging = Self.logging(
            statements: try row.text("log_statement"), slowerThan: try row.text("log_slower_than"),
            sampleSlowerThan: try row.text("log_sample_slower_than"),
            explainSlowerThan: try row.text("explain_slower_than"), parameters: try row.text("log_parameters"),
            parametersOnError: try row.text("log_parameters_on_error"),
            explainParameters: try row.text("explain_parameters"),
            transactionSample: try row.text("log_transaction_sample"),
            audit: try row.text("audit_role").isEmpty ? row.text("audit") : "on for a role",
            auditParameters: try row.text("audit_parameters"))
    }

    /// Documents travel as parameters. Those of a statement are logged with it, up to a length; 0 is none, -1 all.
    static func logging(
        statements: String, slowerThan: String, sampleSlowerThan: String, explainSlowerThan: String, parameters: String,
        parametersOnError: String, explainParameters: String, transactionSample: String, audit: String,
        auditParameters: String
    ) -> Logging? {
        if parameters != "0" {
            let remedy = "log_parameter_max_length = 0"
            if statements == "all" || statements == "mod" {
                return Logging(why: "log_statement is \(statements)", remedy: remedy)
            }
            if slowerThan != "-1" {
                return Logging(why: "log_min_duration_statement is \(slowerThan)", remedy: remedy)
            }
            if transactionSample != "0" {
                return Logging(why: "log_transaction_sample_rate is \(transactionSample)", remedy: remedy)
            }
            if sampleSlowerThan != "-1" {
                return Logging(why: "log_min_duration_sample is \(sampleSlowerThan)", remedy: remedy)
            }
        }
        if explainSlowerThan != "-1", explainParameters != "0" {
            return Logging(
                why: "auto_explain.log_min_duration is \(explainSlowerThan)",
                remedy: "auto_explain.log_min_duration = -1")
        }
        if audit != "none", auditParameters == "on" {
            return Logging(why: "pgaudit.log is \(audit), with parameters", remedy: "pgaudit.log_parameter = off")
        }
        if parametersOnError != "0" {
            return Logging(
                why: "log_parameter_max_length_on_error is \(parametersOnError)",
                remedy: "log_parameter_max_length_on_error = 0")
        }
        return nil
    }
}
