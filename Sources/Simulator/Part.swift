/// The eight values of `expand` (contract section 4).
package enum SimPart: String, Sendable, CaseIterable {
    case companies, contacts, owner
    case actionItems = "action_items"
    case signals, transcript
    case mediaURL = "media_url"
    case tags

    /// The scope that the part needs besides `engagements:read` (contract section 3).
    package var scope: String? {
        switch self {
        case .companies: SimScope.companies
        case .contacts: SimScope.contacts
        case .owner: SimScope.users
        case .actionItems, .signals, .transcript, .mediaURL, .tags: nil
        }
    }
}

/// A set of parts, in one byte, so that a journal of a million requests stays small.
package struct SimParts: OptionSet, Sendable, Hashable {
    package let rawValue: UInt8

    package init(rawValue: UInt8) {
        self.rawValue = rawValue
    }

    package init(_ part: SimPart) {
        rawValue = 1 << UInt8(SimPart.allCases.firstIndex(of: part) ?? 0)
    }

    package static let all = SimParts(rawValue: 0xFF)

    package func contains(_ part: SimPart) -> Bool {
        contains(SimParts(part))
    }

    /// In the API's order.
    package var parts: [SimPart] {
        SimPart.allCases.filter { contains($0) }
    }

    package var names: [String] {
        parts.map(\.rawValue)
    }
}

/// The scopes that reading needs (contract section 3).
package enum SimScope {
    package static let engagements = "engagements:read"
    package static let privateEngagements = "engagements:private:read"
    package static let companies = "companies:read"
    package static let contacts = "contacts:read"
    package static let users = "users:read"
    package static let admin = "workspace:admin"

    /// Words that a scope may consist of; it need not be one that any page names.
    package static func isWellFormed(_ scope: String) -> Bool {
        !scope.isEmpty
            && scope.utf8.allSatisfy { (0x21...0x7E).contains($0) && $0 != 0x22 && $0 != 0x2C && $0 != 0x5C }
    }

    /// All that a worker may want, without `workspace:admin`.
    package static let all: Set<String> = [
        engagements, privateEngagements, companies, contacts, users,
    ]
}
