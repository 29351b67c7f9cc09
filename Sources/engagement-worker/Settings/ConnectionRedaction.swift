/// A Postgres connection string without what it may hide. When in doubt it hides too much.
enum ConnectionRedaction {
    private static let mark = "***"

    /// What is known to be harmless; any other keyword, known or not, keeps its name only. A percent-encoded name
    /// matches none of these.
    private static let harmless: Set<String> = [
        "host", "hostaddr", "port", "dbname", "user", "application_name", "connect_timeout", "sslmode",
        "sslrootcert", "target_session_attrs", "channel_binding", "gssencmode", "client_encoding",
    ]

    static func isURL(_ text: String) -> Bool {
        text.hasPrefix("postgres://") || text.hasPrefix("postgresql://")
    }

    /// The text of a URL or of keywords and values, redacted.
    static func redacted(_ text: String) -> String {
        isURL(text) ? redactedURL(text) : redactedKeywords(text)
    }

    /// Hides everything between the user's name and the **last** "@": a password may hold "@", "/" and "?" itself.
    private static func redactedURL(_ text: String) -> String {
        let schemeEnd = text.firstRange(of: "://")!.upperBound
        var shown = String(text[..<schemeEnd])
        var rest = text[schemeEnd...]
        // An "@" behind a "?" may belong to a password on either side: then nothing is shown.
        if let question = rest.firstIndex(of: "?"), rest[question...].contains("@") { return shown + mark }
        if let at = rest.lastIndex(of: "@") {
            let user = rest[..<at].split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
            shown += user[0] + (user.count > 1 ? ":" + mark : "") + "@"
            rest = rest[rest.index(after: at)...]
        }
        let parts = rest.split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
        shown += parts[0]
        guard parts.count > 1 else { return shown }
        return shown + "?" + parts[1].split(separator: "&").map { redactedPair($0) }.joined(separator: "&")
    }

    private static func redactedPair(_ pair: Substring) -> String {
        let parts = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
        return show(String(parts[0]), parts.count > 1 ? String(parts[1]) : "")
    }

    /// `keyword = value` with libpq's quoting: single quotes, and a backslash before any character.
    private static func redactedKeywords(_ text: String) -> String {
        var rest = Array(text)[...]
        var shown: [String] = []
        while true {
            rest = rest.drop(while: \.isWhitespace)
            guard !rest.isEmpty else { return shown.joined(separator: " ") }
            guard let equals = rest.firstIndex(of: "=") else { return (shown + [mark]).joined(separator: " ") }
            let name = String(rest[..<equals]).split(whereSeparator: \.isWhitespace).joined(separator: " ")
            rest = rest[(equals + 1)...].drop(while: \.isWhitespace)
            shown.append(show(name, takeValue(&rest)))
        }
    }

    private static func takeValue(_ rest: inout ArraySlice<Character>) -> String {
        let isQuoted = rest.first == "'"
        if isQuoted { rest.removeFirst() }
        var value = ""
        while let character = rest.popFirst() {
            if isQuoted ? character == "'" : character.isWhitespace { break }
            guard character == "\\", let escaped = rest.popFirst() else {
                value.append(character)
                continue
            }
            value.append(escaped)
        }
        return value
    }

    private static func show(_ name: String, _ value: String) -> String {
        harmless.contains(name) ? "\(name)=\(value)" : "\(name)=\(mark)"
    }
}
