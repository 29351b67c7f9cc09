/// Which scopes a request needs, which of them its credential lacks, and what follows (contract sections 3 and 8).
struct Needs: Sendable {
    private let held: Set<String>
    private let parts: SimParts
    private let isPrivate: Bool
    private let switches: Switches

    /// - Parameter isPrivate: the engagement exists and is private.
    init(_ held: Set<String>, _ parts: SimParts, isPrivate: Bool, _ switches: Switches) {
        self.held = held
        self.parts = parts
        self.isPrivate = isPrivate
        self.switches = switches
    }

    var hasBase: Bool { holds(SimScope.engagements) }

    /// The private scope is additive: it needs the base scope as well.
    var opensPrivate: Bool { hasBase && holds(SimScope.privateEngagements) }

    /// The parts that the credential may have, or a refusal of all of them (U-3, U-4).
    func deliverable() throws(Refusal) -> SimParts {
        if isHidden, hasBase { throw Refusal(.notFound) }
        let missing = required.filter { !holds($0) }
        guard missing.isEmpty else {
            throw Refusal(.forbidden(missing: missing, required: required, switches.forbiddenStyle))
        }
        return parts.parts.reduce(into: []) { delivered, part in
            if scopes(of: part).allSatisfy(holds) { delivered.insert(SimParts(part)) }
        }
    }

    /// In the order in which a refusal names them: base, private, parts.
    private var required: [String] {
        let isNamed = isPrivate && !isHidden
        let ofParts = switches.missingExpandScope == .refuse ? parts.parts.flatMap(scopes) : []
        let all = [SimScope.engagements] + (isNamed ? [SimScope.privateEngagements] : []) + ofParts
        return all.enumerated().filter { !all[..<$0.offset].contains($0.element) }.map(\.element)
    }

    /// Private without the scope, and nobody is to notice: no refusal mentions it either.
    private var isHidden: Bool {
        isPrivate && switches.privateWithoutScope == .notFound && !holds(SimScope.privateEngagements)
    }

    private func scopes(of part: SimPart) -> [String] {
        [part.scope, switches.extraGates[part]].compactMap(\.self)
    }

    private func holds(_ scope: String) -> Bool {
        if held.contains(scope) { return true }
        guard held.contains(SimScope.admin) else { return false }
        return scope != SimScope.privateEngagements || switches.adminAndPrivate == .opens
    }
}
