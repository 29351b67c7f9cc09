/// Who may do what: contract sections 2 and 3.
struct Access: Sendable {
    /// By token, without any prefix.
    var tokens: [String: Set<String>] = [:]
    /// Those of them that answer 401 for now.
    var invalid: Set<String> = []

    /// The scopes of the credential in an `Authorization` header; `nil` answers 401.
    ///
    /// API keys go in raw, everything else behind `Bearer`; each in the other's form is refused (U-30).
    func scopes(authorization: String?) -> Set<String>? {
        guard let authorization else { return nil }
        if authorization.hasPrefix("sk-apik_") { return scopes(token: authorization) }
        guard authorization.hasPrefix("Bearer ") else { return nil }
        let token = String(authorization.dropFirst("Bearer ".count))
        return token.hasPrefix("sk-apik_") ? nil : scopes(token: token)
    }

    private func scopes(token: String) -> Set<String>? {
        invalid.contains(token) ? nil : tokens[token]
    }
}
