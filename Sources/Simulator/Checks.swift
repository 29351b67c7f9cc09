/// What is wrong with a request before there is anything to answer with.
extension Endpoint {
    func checkID(_ id: String) throws(Refusal) {
        guard !Identifier.isEngagement(id) else { return }
        guard switches.badParameter != .ignored else { throw Refusal(.notFound) }
        throw Refusal(
            .invalid(
                "engagement_id", code: "invalid_format", "Not an engagement id.", switches.badParameter))
    }

    func checkExpands(_ route: Route) throws(Refusal) {
        if switches.expandForm == .strict, !route.hasPlainExpand {
            try refuseExpand("invalid_format", "One list of distinct names, with plain commas.")
        }
        for name in route.expandNames where !isKnown(name, in: route) {
            try refuseExpand("invalid_enum", "\(name) is no expand.")
        }
    }

    private func isKnown(_ name: String, in route: Route) -> Bool {
        guard let part = SimPart(rawValue: name) else { return false }
        return part != .actionItems || route.resource != .list || switches.listActionItems == .delivered
    }

    private func refuseExpand(_ code: String, _ message: String) throws(Refusal) {
        guard switches.badParameter != .ignored else { return }
        throw Refusal(.invalid("expand", code: code, message, switches.badParameter))
    }
}
