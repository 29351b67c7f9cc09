/// Where a connection goes and what its session is like.
package struct ConnectionConfiguration: Sendable {
    /// A libpq connection string or URI; empty for libpq's own variables (`PGHOST`, …). May hold a password.
    package var conninfo: String
    /// Shown in `pg_stat_activity`, one for each role: `engagement-worker claim`, ….
    package var applicationName: String
    /// The one schema of the session's `search_path`; nil leaves the path alone.
    package var schema: String?
    /// A shared advisory lock that the session holds while it lives: others see by it that we are alive.
    package var sharedLock: Int64?
    /// Only a server that is no standby will do; of several hosts in the string the first such one.
    package var needsPrimary = false
    /// Between us and the server may be a pooler that gives each transaction another session: nothing is kept on one. No
    /// lock, no setting, no named statement; each statement is a transaction that brings its settings along.
    package var isPooled = false
    package var connectTimeout: Duration = .seconds(10)
    /// The server gives up a statement after this; we wait 5 s longer, then throw the connection away.
    package var statementTimeout: Duration = .seconds(55)
    /// A row that a person holds is found by halving a batch of 100, seven times this: less than the shortest usual lease.
    package var lockTimeout: Duration = .seconds(3)
    /// Only ever false for claims, which a crash may lose without harm.
    package var synchronousCommit = true

    package init(conninfo: String, applicationName: String, schema: String? = nil) {
        self.conninfo = conninfo
        self.applicationName = applicationName
        self.schema = schema
    }

    /// Keywords for `PQconnectStartParams`. What stands before `dbname` is a default that a connection string overrides.
    /// Without these a half-open socket is silent for a quarter of an hour (libpq, "Parameter Key Words").
    var keywords: [(String, String)] {
        [
            ("keepalives_idle", "10"), ("keepalives_interval", "3"), ("keepalives_count", "3"),
            ("tcp_user_timeout", "15000"), ("connect_timeout", String(connectTimeout.components.seconds)),
            ("target_session_attrs", needsPrimary ? "primary" : "any"),
            ("dbname", conninfo), ("client_encoding", "UTF8"), ("application_name", applicationName),
        ]
    }

    /// What each session pins, or behind a pooler each transaction, whatever the server's, the database's or the role's defaults say.
    /// Set after connecting, since poolers refuse most of it in the start-up packet.
    var sessionSettings: [(name: String, value: String)] {
        var settings = [
            ("datestyle", "ISO, YMD"), ("timezone", "UTC"), ("jit", "off"), ("standard_conforming_strings", "on"),
            ("bytea_output", "hex"), ("statement_timeout", milliseconds(statementTimeout)),
            ("lock_timeout", milliseconds(lockTimeout)), ("synchronous_commit", synchronousCommit ? "on" : "off"),
        ]
        if !isPooled {
            settings += [
                ("default_transaction_isolation", "read committed"), ("idle_in_transaction_session_timeout", "60000"),
                ("tcp_keepalives_idle", "30"), ("tcp_keepalives_interval", "10"), ("tcp_keepalives_count", "3"),
            ]
        }
        if let schema { settings.append(("search_path", quoteIdentifier(schema) + ", pg_temp")) }
        return settings
    }

    private func milliseconds(_ duration: Duration) -> String {
        String(Int64(duration / .milliseconds(1)))
    }
}

/// An identifier in double quotes, for the one place where a name is text: `search_path` and the migrator's schema.
package func quoteIdentifier(_ name: String) -> String {
    var quoted = "\""
    for character in name.unicodeScalars {
        if character == "\"" { quoted.unicodeScalars.append("\"") }
        quoted.unicodeScalars.append(character)
    }
    return quoted + "\""
}
