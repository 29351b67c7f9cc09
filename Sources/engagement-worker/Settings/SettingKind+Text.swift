import AskElephant

extension SettingKind where Value == String {
    /// A Postgres schema's name. Longer ones Postgres would cut silently.
    static var schemaName: Self {
        Self(
            form: "1 to 63 bytes",
            parse: { text throws(BadValue) in
                guard (1...63).contains(text.utf8.count) else { throw BadValue("must have 1 to 63 bytes") }
                guard !text.hasPrefix("pg_") else { throw BadValue("begins with pg_, which Postgres keeps for itself") }
                guard !text.unicodeScalars.contains(where: TextEscaper.isDangerous) else {
                    throw BadValue("contains a control character")
                }
                return text
            },
            show: { $0 }
        )
    }

    /// A name that people write into their queries.
    static var plainName: Self {
        Self(
            form: "1 to 63 letters, digits, '-', '_' and '.'",
            parse: { text throws(BadValue) in
                let isPlain = text.utf8.allSatisfy { byte in
                    switch byte {
                    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                        UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"),
                        UInt8(ascii: "."):
                        true
                    default: false
                    }
                }
                guard isPlain, (1...63).contains(text.utf8.count) else {
                    throw BadValue("must be 1 to 63 letters, digits, '-', '_' and '.'")
                }
                return text
            },
            show: { $0 }
        )
    }

    /// An address of the API, without a "/" at its end. Which scheme is allowed depends on another setting.
    static var baseURL: Self {
        Self(
            form: "an https:// URL",
            parse: { text throws(BadValue) in
                // Whether it may be insecure is another setting's to say, once all are known.
                do throws(BaseURL.Mistake) {
                    return try BaseURL(text, allowInsecure: true).description
                } catch {
                    throw BadValue(error.description)
                }
            },
            show: { $0 }
        )
    }
}

extension SettingKind where Value == String? {
    static var path: Self {
        Self(form: "a path", parse: { text throws(BadValue) in text }, show: { $0 })
    }
}

extension SettingKind where Value == Secret? {
    static var secret: Self {
        Self(form: "a secret", parse: { text throws(BadValue) in Secret(text) }, show: { $0?.description })
    }

    /// An address that may hold a key in its path, so that none of it is shown.
    static var secretAddress: Self {
        Self(
            form: "an https:// or http:// URL",
            parse: { text throws(BadValue) in
                guard text.hasPrefix("https://") || text.hasPrefix("http://"), !text.contains(where: \.isWhitespace)
                else {
                    throw BadValue("is no https:// or http:// URL")
                }
                return Secret(text)
            },
            show: { $0?.description }
        )
    }

    /// A connection string: everything but what may be a password can be shown.
    static var connection: Self {
        Self(
            form: "postgresql://… or libpq's keywords and values",
            parse: { text throws(BadValue) in
                guard ConnectionRedaction.isURL(text) || text.contains("=") else {
                    throw BadValue("is neither postgresql://… nor keywords and values such as 'host=… dbname=…'")
                }
                return Secret(text, redacted: ConnectionRedaction.redacted(text))
            },
            show: { $0?.description }
        )
    }
}

extension SettingKind where Value == [String] {
    /// Some of the given names, separated by commas, in any order; the result has the given order.
    static func subset(of names: [String]) -> Self {
        Self(
            form: "some of \(names.joined(separator: ","))",
            parse: { text throws(BadValue) in
                let asked = text.split(separator: ",", omittingEmptySubsequences: false).map(\.trimmed)
                guard asked.allSatisfy(names.contains) else {
                    throw BadValue("may name only \(names.joined(separator: ", ")), separated by commas")
                }
                return names.filter(asked.contains)
            },
            show: { $0.joined(separator: ",") }
        )
    }
}
