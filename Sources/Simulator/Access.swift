/// Who may do what: contract sections 2 and 3.
struct Access: Sendable {
    /// By token, without any prefix.
    var tokens: [String: Set<String>] = [:]

    /// The scopes of the credential in an `Authorization` header; `nil` answers 401.
    ///
    /// API keys go in raw, everything else behind `Bearer`; each in the other's form is refused (U-30).
    func scopes(authorization: String?) -> Set<String>? {
        guard let authorization else { return nil }
        if authorization.hasPrefix("sk-apik_") { return tokens[authorization] }
        guard authorization.hasPrefix("Bearer ") else { return nil }
        let token = String(authorization.dropFirst("Bearer ".count))
        return token.hasPrefix("sk-apik_") ? nil : tokens[token]
    }

    static func allows(_ scopes: Set<String>, _ scope: String) -> Bool {
        scopes.contains(scope) || scopes.contains(SimScope.admin)
    }

    /// The private scope is additive: it needs the base scope as well.
    static func allowsPrivate(_ scopes: Set<String>) -> Bool {
        allows(scopes, SimScope.engagements) && allows(scopes, SimScope.privateEngagements)
    }
}
