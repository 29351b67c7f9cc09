import Crypto
import FoundationEssentials

/// Makes webhooks as AskElephant's sender does (contract section 12): the envelope, and Svix's headers and signature.
package struct WebhookSender: Sendable {
    package struct Message: Sendable {
        package var headers: [(name: String, value: String)]
        package var body: [UInt8]
    }

    private let keys: [SymmetricKey]

    /// - Parameter secrets: `whsec_` and base64; more than one as during a rotation.
    package init(secrets: [String]) {
        keys = secrets.map { secret in
            guard let key = Data(base64Encoded: String(secret.dropFirst("whsec_".count))) else {
                preconditionFailure("a secret that is not base64")
            }
            return SymmetricKey(data: key)
        }
    }

    /// - Parameters:
    ///   - message: the number of the message; a repeated delivery has the same one.
    ///   - event: the number of the event.
    ///   - object: its id and further members, as JSON without the braces.
    ///   - time: in seconds since 1970.
    package func message(
        _ message: Int, event: Int, type: String, object: String, time: Int64, isUnbranded: Bool = false
    ) -> Message {
        let body = Array(
            """
            {"id":"evt_\(event)","type":"\(type)","api_version":"v1","created_at":"2026-01-01T00:00:00Z",\
            "workspace_id":"wrks_1","data":{"object":{\(object)},"previous_attributes":{}}}
            """.utf8)
        return signed(body, id: "msg_\(message)", time: time, isUnbranded: isUnbranded)
    }

    package func signed(_ body: [UInt8], id: String, time: Int64, isUnbranded: Bool = false) -> Message {
        let content = Array("\(id).\(time).".utf8) + body
        let signatures = keys.map { key in
            "v1," + Data(HMAC<SHA256>.authenticationCode(for: content, using: key)).base64EncodedString()
        }
        let brand = isUnbranded ? "webhook" : "svix"
        return Message(
            headers: [
                ("\(brand)-id", id), ("\(brand)-timestamp", "\(time)"),
                ("\(brand)-signature", signatures.joined(separator: " ")),
            ],
            body: body)
    }
}
