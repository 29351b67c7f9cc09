/// A part of an engagement that is delivered only when asked for. The raw value is the API's own name, the order of
/// the cases is the order in which they are sent (contract U-5: fixed order, no duplicates).
package enum Expand: String, CaseIterable, Sendable, Hashable {
    case companies
    case contacts
    case owner
    case actionItems = "action_items"
    case signals
    case transcript
    case mediaURL = "media_url"
    case tags

    /// The scope that the part needs besides `engagements:read`, or nil where no page names one (contract section 3).
    package var scope: Scope? {
        switch self {
        case .companies: .companiesRead
        case .contacts: .contactsRead
        case .owner: .usersRead
        case .actionItems, .signals, .transcript, .mediaURL, .tags: nil
        }
    }
}

extension Sequence<Expand> {
    /// The parts as the value of `expand`: literal commas, fixed order, each once; nil when there are none, since the
    /// meaning of an empty value is unknown (contract U-5).
    var queryValue: String? {
        let wanted = Set(self)
        let names = Expand.allCases.filter(wanted.contains).map(\.rawValue)
        return names.isEmpty ? nil : names.joined(separator: ",")
    }
}
