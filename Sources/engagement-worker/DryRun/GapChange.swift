import AskElephant

/// What becomes of the gaps.
struct GapChange: Equatable, Sendable {
    enum Change: String, Sendable {
        case new, same
        /// The part arrives.
        case closed
    }

    var part: String
    var cause: String
    var change: Change

    /// - Parameter stored: the cause by the part, as is `planned`.
    static func between(_ stored: [String: String], _ planned: [String: String]) -> [GapChange] {
        Set(stored.keys).union(planned.keys).sorted().map { part in
            guard let cause = planned[part] else {
                return GapChange(part: part, cause: stored[part] ?? "", change: .closed)
            }
            return GapChange(part: part, cause: cause, change: stored[part] == cause ? .same : .new)
        }
    }

    /// The scope to ask for; nil where none helps, or no page names one.
    var scope: String? {
        guard cause == "scope_denied" || cause == "not_delivered" else { return nil }
        return Expand(rawValue: part)?.scope?.rawValue
    }
}
