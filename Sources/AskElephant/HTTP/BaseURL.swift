/// Where the API is. `https` only, because the credential travels with each request; `http` is allowed to this very
/// machine, and to others when somebody says so.
package struct BaseURL: Sendable, Hashable, CustomStringConvertible {
    package enum Mistake: Error, Sendable, Hashable, CustomStringConvertible {
        case notHTTP
        case noHost
        case badHost
        case badPort
        case badPath
        case insecure

        package var description: String {
            switch self {
            case .notHTTP: "must begin with https:// (or http:// for this machine)"
            case .noHost: "names no host"
            case .badHost: "has a host that is no host name or address; a user name or password is not allowed"
            case .badPort: "has a port that is not between 1 and 65535"
            case .badPath: "must not have a query, a fragment, spaces or control characters"
            case .insecure: "would send the credential unencrypted: use https, or allow insecure addresses"
            }
        }
    }

    /// AskElephant's production address (contract section 1).
    package static let production = BaseURL(text: "https://app.askelephant.ai/api")

    /// The address without a slash at its end.
    package let description: String

    private init(text: String) {
        description = text
    }

    package init(_ text: String, allowInsecure: Bool = false) throws(Mistake) {
        let (isSecure, rest) = try Self.scheme(text)
        let slash = rest.firstIndex { $0 == "/" || $0 == "?" || $0 == "#" } ?? rest.endIndex
        let (host, port) = try Self.hostAndPort(rest[..<slash])
        let path = try Self.path(rest[slash...])
        guard isSecure || allowInsecure || Self.isLoopback(host) else { throw .insecure }
        description = (isSecure ? "https://" : "http://") + host + (port.map { ":\($0)" } ?? "") + path
    }

    private static func scheme(_ text: String) throws(Mistake) -> (isSecure: Bool, rest: Substring) {
        guard let end = text.firstIndex(of: ":"), text[end...].hasPrefix("://") else { throw .notHTTP }
        let rest = text[end...].dropFirst(3)
        switch text[..<end].lowercased() {
        case "https": return (true, rest)
        case "http": return (false, rest)
        default: throw .notHTTP
        }
    }

    private static func hostAndPort(_ text: Substring) throws(Mistake) -> (host: String, port: UInt16?) {
        guard !text.contains("@") else { throw .badHost }
        // The colons of an IPv6 address stand in brackets.
        let colon = text.lastIndex(of: ":").flatMap { colon in text[colon...].contains("]") ? nil : colon }
        let host = text[..<(colon ?? text.endIndex)]
        guard !host.isEmpty else { throw .noHost }
        guard isName(host) || isBracketedAddress(host) else { throw .badHost }
        guard let colon else { return (host.lowercased(), nil) }
        let digits = text[colon...].dropFirst()
        guard digits.utf8.allSatisfy(\.isASCIIDigit), let port = UInt16(digits), port > 0 else {
            throw .badPort
        }
        return (host.lowercased(), port)
    }

    private static func isName(_ host: Substring) -> Bool {
        host.utf8.allSatisfy { $0.isASCIILetter || $0.isASCIIDigit || "-._".utf8.contains($0) }
    }

    private static func isBracketedAddress(_ host: Substring) -> Bool {
        guard host.hasPrefix("["), host.hasSuffix("]"), host.count > 2 else { return false }
        return host.dropFirst().dropLast().allSatisfy { $0.isHexDigit && $0.isASCII || $0 == ":" || $0 == "." }
    }

    private static func path(_ text: Substring) throws(Mistake) -> String {
        guard text.utf8.allSatisfy({ $0.isASCIIPrintable && !" ?#".utf8.contains($0) }) else {
            throw .badPath
        }
        var path = text
        while path.last == "/" { path.removeLast() }
        return String(path)
    }

    /// `127.` alone proves nothing: `127.example.com` is a name.
    private static func isLoopback(_ host: String) -> Bool {
        if host == "localhost" || host == "[::1]" { return true }
        let parts = host.split(separator: ".", omittingEmptySubsequences: false)
        return parts.count == 4 && parts[0] == "127" && parts.allSatisfy { UInt8($0) != nil }
    }
}
