/// What an answer depends on before there is anything to answer with.
extension Endpoint {
    func checkID(_ id: String) throws(Refusal) {
        guard !Identifier.isEngagement(id) else { return }
        guard switches.badParameter != .ignored else { throw Refusal(.notFound) }
        throw Refusal(
            .invalid(
                "engagement_id", code: "invalid_format", "Not an engagement id.", switches.badParameter))
    }

    func checkExpands(_ route: Route) throws(Refusal) {
        guard switches.badParameter != .ignored else { return }
        for name in route.expandNames where SimPart(rawValue: name) == nil {
            throw Refusal(
                .invalid("expand", code: "invalid_enum", "\(name) is no expand.", switches.badParameter))
        }
    }

    func checkBase(_ scopes: Set<String>, _ parts: SimParts) throws(Refusal) {
        try check(scopes, needs: [SimScope.engagements], parts, isPrivate: false)
    }

    func checkPrivate(_ scopes: Set<String>, _ parts: SimParts, _ state: EngagementState)
        throws(Refusal)
    {
        guard state.isPrivate else { return }
        if switches.privateWithoutScope == .notFound, !Access.allowsPrivate(scopes) {
            throw Refusal(.notFound)
        }
        try check(scopes, needs: [SimScope.privateEngagements], parts, isPrivate: true)
    }

    /// The parts that the credential may have, or a refusal of them all (U-3).
    func deliverable(_ parts: SimParts, _ scopes: Set<String>) throws(Refusal) -> SimParts {
        guard switches.missingExpandScope == .leaveOut else {
            try check(scopes, needs: parts.parts.compactMap(\.scope), parts, isPrivate: false)
            return parts
        }
        return parts.parts.reduce(into: []) { delivered, part in
            if part.scope.map({ Access.allows(scopes, $0) }) ?? true { delivered.insert(SimParts(part)) }
        }
    }

    private func check(
        _ scopes: Set<String>, needs: [String], _ parts: SimParts, isPrivate: Bool
    ) throws(Refusal) {
        let missing = needs.filter { !Access.allows(scopes, $0) }
        guard !missing.isEmpty else { return }
        let required =
            [SimScope.engagements] + (isPrivate ? [SimScope.privateEngagements] : [])
            + parts.parts.compactMap(\.scope)
        throw Refusal(.forbidden(missing: missing, required: required, switches.forbiddenStyle))
    }
}
