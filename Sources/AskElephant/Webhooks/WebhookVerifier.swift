import Crypto
import FoundationEssentials

/// Judges a webhook's signature as Svix does (contract section 12.4): HMAC-SHA256 over its id, its time and its raw body.
package struct WebhookVerifier: Sendable {
    package enum Verdict: String, Sendable, CaseIterable {
        case valid
        /// One of the three headers is missing, or is nothing that Svix sends.
        case unsigned
        case tooOld = "too_old"
        case tooNew = "too_new"
        /// No signature is by one of the secrets.
        case forged
    }

    /// What the three headers say, `svix-…` or `webhook-…`.
    package struct Signature: Sendable {
        package var id: String
        package var timestamp: String
        /// `v1,…`, more than one during a rotation, a space between them.
        package var signatures: String

        package init(id: String, timestamp: String, signatures: String) {
            self.id = id
            self.timestamp = timestamp
            self.signatures = signatures
        }

        /// Takes either family of names, as Svix's own libraries do; nil if one of the three is missing.
        ///
        /// - Parameter header: the value of a header by its lowercase name.
        package init?(_ header: (String) -> String?) {
            func value(_ name: String) -> String? { header("svix-" + name) ?? header("webhook-" + name) }
            guard let id = value("id"), let timestamp = value("timestamp"), let signatures = value("signature") else {
                return nil
            }
            self.init(id: id, timestamp: timestamp, signatures: signatures)
        }
    }

    /// How far the sender's clock may be from ours, either way, in seconds.
    private static let tolerance: Int64 = 300
    private static let longestID = 256

    private let keys: [SymmetricKey]

    /// - Parameter secrets: `whsec_` and base64; any of them may have signed. Nil if there is none, or one that is not base64.
    package init?(_ secrets: [Secret]) {
        var keys: [SymmetricKey] = []
        for secret in secrets {
            guard let key = Self.key(secret.reveal()) else { return nil }
            keys.append(key)
        }
        guard !keys.isEmpty else { return nil }
        self.keys = keys
    }

    /// - Parameter now: in seconds since 1970.
    package func judge(_ signature: Signature?, of body: [UInt8], now: Int64) -> Verdict {
        guard let signature, Self.isID(signature.id), let time = Self.time(signature.timestamp) else {
            return .unsigned
        }
        if time < now - Self.tolerance { return .tooOld }
        if time > now + Self.tolerance { return .tooNew }
        let content = Array("\(signature.id).\(time).".utf8) + body
        let given = signature.signatures.split(separator: " ").compactMap(Self.code)
        for key in keys {
            let code = HMAC<SHA256>.authenticationCode(for: content, using: key)
            // In constant time.
            for one in given where code == one { return .valid }
        }
        return .forged
    }

    private static func key(_ secret: String) -> SymmetricKey? {
        let prefix = "whsec_"
        var text = secret.hasPrefix(prefix) ? String(secret.dropFirst(prefix.count)) : secret
        while text.last == "=" { text.removeLast() }
        text += String(repeating: "=", count: (4 - text.utf8.count % 4) % 4)
        guard let bytes = Data(base64Encoded: text), !bytes.isEmpty else { return nil }
        return SymmetricKey(data: bytes)
    }

    /// The code of a `v1` entry. Of the ways to write one in base64 only the one that Svix writes.
    private static func code(_ entry: Substring) -> [UInt8]? {
        let prefix = "v1,"
        guard entry.hasPrefix(prefix) else { return nil }
        let text = String(entry.dropFirst(prefix.count))
        guard let bytes = Data(base64Encoded: text), bytes.count == SHA256.byteCount,
            bytes.base64EncodedString() == text
        else { return nil }
        return Array(bytes)
    }

    private static func isID(_ text: String) -> Bool {
        (1...longestID).contains(text.utf8.count) && text.utf8.allSatisfy { (0x21...0x7E).contains($0) }
    }

    private static func time(_ text: String) -> Int64? {
        guard (1...12).contains(text.utf8.count), text.utf8.allSatisfy(\.isASCIIDigit) else { return nil }
        return Int64(text)
    }
}
