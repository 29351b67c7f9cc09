/// The address of the API, checked just enough that a token cannot go to the wrong place by mistake.
enum BaseURL {
    /// The text without a "/" at its end.
    static func parse(_ text: String) throws(BadValue) -> String {
        guard let scheme = ["https://", "http://"].first(where: text.hasPrefix) else {
            throw BadValue("must begin with https://")
        }
        let rest = text.dropFirst(scheme.count)
        guard text.utf8.allSatisfy({ (0x21...0x7E).contains($0) }) else {
            throw BadValue("contains a space or a character outside ASCII")
        }
        guard !rest.contains("@") else { throw BadValue("must not contain a user or a password") }
        guard !rest.contains("?"), !rest.contains("#") else { throw BadValue("must not contain '?' or '#'") }
        guard !host(of: text).isEmpty else { throw BadValue("has no host") }
        var trimmed = text
        while trimmed.hasSuffix("/") { trimmed.removeLast() }
        return trimmed
    }

    /// Whether the token would cross a network in the clear: plain http to anything but this machine.
    static func isInsecure(_ url: String) -> Bool {
        url.hasPrefix("http://") && !["localhost", "127.0.0.1", "[::1]"].contains(host(of: url))
    }

    private static func host(of url: String) -> Substring {
        let authority = url.drop { $0 != "/" }.dropFirst(2).prefix { $0 != "/" }
        if authority.hasPrefix("["), let end = authority.firstIndex(of: "]") { return authority[...end] }
        return authority.prefix { $0 != ":" }
    }
}
