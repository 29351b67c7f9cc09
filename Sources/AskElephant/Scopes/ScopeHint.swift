/// What a refusal says about scopes (contract section 8). No page shows the body of a 403 (U-1), and a message may list
/// what is required instead of what is missing, so all of this is a hint: it shortens the way, it proves nothing.
package struct ScopeHint: Sendable, Hashable {
    package var scopes: Set<Scope> = []
    /// Parts named in an error whose field is `expand`.
    package var parts: Set<Expand> = []

    package init(scopes: Set<Scope> = [], parts: Set<Expand> = []) {
        self.scopes = scopes
        self.parts = parts
    }

    /// Looks wherever a scope could stand: the texts of the problem, its errors, and `scope=` of `WWW-Authenticate`.
    package init(_ problem: Problem) {
        let errorTexts = problem.errors.flatMap { [$0.field, $0.code, $0.message] }
        let texts = [problem.type, problem.title, problem.detail] + errorTexts
        for text in texts.compactMap(\.self) + problem.challenges.compactMap(Self.scopeParameter) {
            scopes.formUnion(Self.words(text).compactMap { Scope(rawValue: $0) })
        }
        for error in problem.errors where error.field?.hasPrefix("expand") == true {
            let text = [error.field, error.code, error.message].compactMap(\.self).joined(separator: " ")
            parts.formUnion(Self.words(text).compactMap { Expand(rawValue: $0) })
        }
    }

    /// Which of the parts that were asked for it names, itself or by their scope.
    func named(among asked: Set<Expand>) -> Set<Expand> {
        asked.filter { part in parts.contains(part) || part.scope.map(scopes.contains) ?? false }
    }

    /// It speaks of the private scope, and of no part that was asked for.
    func saysPrivate(of asked: Set<Expand>) -> Bool {
        scopes.contains(.engagementsPrivateRead) && named(among: asked).isEmpty
    }

    /// It speaks of the private scope and of no other that could be the reason: no more need be asked.
    package func saysPrivateAlone(of asked: Set<Expand>) -> Bool { saysPrivate(of: asked) && !saysBase(of: asked) }

    /// It speaks of the base scope, and of no part that was asked for.
    func saysBase(of asked: Set<Expand>) -> Bool {
        scopes.contains(.engagementsRead) && named(among: asked).isEmpty
    }

    /// Runs of letters, digits, `_` and `:`; a colon that ends a clause belongs to no word.
    private static func words(_ text: String) -> [String] {
        text.split { !($0.isASCII && ($0.isLetter || $0.isNumber)) && $0 != "_" && $0 != ":" }
            .map { word in
                var word = word
                while word.last == ":" { word.removeLast() }
                while word.first == ":" { word.removeFirst() }
                return word.lowercased()
            }
    }

    /// The value of `scope` in a challenge, quoted or not (RFC 6750 section 3).
    private static func scopeParameter(_ challenge: String) -> String? {
        guard let range = challenge.lowercased().firstRange(of: "scope=") else { return nil }
        let offset = challenge.lowercased().distance(from: challenge.startIndex, to: range.upperBound)
        let value = challenge.dropFirst(offset)
        guard value.first == "\"" else { return String(value.prefix { $0 != "," && $0 != " " }) }
        return String(value.dropFirst().prefix { $0 != "\"" })
    }
}
