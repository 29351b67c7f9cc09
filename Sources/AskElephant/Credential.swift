import Crypto

/// A credential that can be sent: not empty, one line, ASCII.
package struct Credential: Sendable, Hashable {
    /// The credential as it was given, without the white space around it.
    package let token: Secret
    private let header: Secret

    /// Trims white space and line ends, which files and environments like to add. Nil when nothing is left, or when a
    /// control character or a byte beyond ASCII is: those could split the header or would be sent mangled.
    package init?(_ raw: Secret) {
        let bytes = raw.reveal().utf8
        guard let first = bytes.firstIndex(where: { !Self.isSpace($0) }),
            let last = bytes.lastIndex(where: { !Self.isSpace($0) })
        else { return nil }
        let trimmed = bytes[first...last]
        guard trimmed.allSatisfy(\.isASCIIPrintable) else { return nil }
        let text = String(Substring(trimmed))
        token = Secret(text)
        header = Secret(text.hasPrefix("sk-apik_") ? text : "Bearer " + text)
    }

    /// The value of `Authorization`. An API key goes in as it is, the documentation forbids a scheme before it;
    /// anything else is an OAuth access token (contract section 2).
    package var authorizationHeader: String { header.reveal() }

    /// What may be stored to recognise the token again: HMAC-SHA256 with the key, as 32 hexadecimal digits.
    package func fingerprint(key: String) -> String {
        let code = HMAC<SHA256>.authenticationCode(
            for: Array(token.reveal().utf8), using: SymmetricKey(data: Array(key.utf8)))
        let digits = Array("0123456789abcdef")
        return String(code.prefix(16).flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] })
    }

    private static func isSpace(_ byte: UInt8) -> Bool {
        byte == 0x20 || (0x09...0x0D).contains(byte)
    }
}
