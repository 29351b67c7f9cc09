import AskElephant

/// An engagement taken apart: its fields and the items of its parts, each value as JSON text.
struct EngagementSide: Equatable, Sendable {
    struct Item: Equatable, Sendable {
        /// Nil where the source gave it none.
        var id: String?
        var fields: [String: String] = [:]
    }

    var fields: [String: String] = [:]
    var parts: [Expand: [Item]] = [:]
}

/// What a write would change, by names and ids: pure. Nothing here holds a value of an item.
struct Difference: Equatable, Sendable {
    enum Change: String, Sendable { case added, removed, changed }

    struct Field: Equatable, Sendable {
        var name: String
        var change: Change
        /// JSON text; nil where there is none.
        var stored: String?
        var fetched: String?
    }

    struct Item: Equatable, Sendable {
        var id: String?
        /// The fields that differ, for one that changed.
        var fields: [String] = []
    }

    enum Version: String, Sendable {
        /// The items came in another order, or were seen through another engagement meanwhile.
        case other
        /// It is known now that there are none.
        case empty
    }

    struct Part: Equatable, Sendable {
        var part: Expand
        var added: [Item] = []
        var removed: [Item] = []
        var changed: [Item] = []
        /// What changes though no item does.
        var version: Version?
        /// The length of a transcript before and after, as JSON text.
        var characters: Field?
    }

    var fields: [Field] = []
    var parts: [Part] = []

    var isEmpty: Bool { fields.isEmpty && parts.isEmpty }

    /// - Parameters:
    ///   - base: whether the engagement's own fields would be written.
    ///   - accepted: the parts that would be written.
    ///   - otherVersions: those of them whose content is not the one that was delivered last.
    init(
        stored: EngagementSide, fetched: EngagementSide, base: Bool, accepted: Set<Expand>, otherVersions: Set<Expand>
    ) {
        if base { fields = Self.fields(stored.fields, fetched.fields) }
        for part in Expand.allCases where accepted.contains(part) {
            var compared = Self.part(part, stored.parts[part] ?? [], fetched.parts[part] ?? [])
            if !compared.hasItems {
                // A signed address is another one each time.
                guard otherVersions.contains(part), part != .mediaURL else { continue }
                compared.version = fetched.parts[part] == nil ? .empty : .other
            }
            parts.append(compared)
        }
    }

    private static func fields(_ stored: [String: String], _ fetched: [String: String]) -> [Field] {
        Set(stored.keys).union(fetched.keys).sorted().compactMap { name in
            let (old, new) = (stored[name], fetched[name])
            guard old != new else { return nil }
            let change: Change = old == nil ? .added : new == nil ? .removed : .changed
            return Field(name: name, change: change, stored: old, fetched: new)
        }
    }

    private static func part(_ part: Expand, _ stored: [EngagementSide.Item], _ fetched: [EngagementSide.Item]) -> Part
    {
        let (old, new) = (keyed(stored, of: part), keyed(fetched, of: part))
        let (before, after) = (Dictionary(old) { $1 }, Dictionary(new) { $1 })
        var result = Part(part: part)
        result.removed = old.filter { after[$0.0] == nil }.map { Item(id: $1.id) }
        var seen: Set<Key> = []
        for (key, _) in new where seen.insert(key).inserted {
            guard let item = after[key] else { continue }
            guard let previous = before[key] else {
                result.added.append(Item(id: item.id))
                continue
            }
            let names = fields(previous.fields, item.fields).map(\.name)
            if !names.isEmpty { result.changed.append(Item(id: item.id, fields: names)) }
        }
        if part == .transcript { result.characters = characters(stored.first, fetched.first) }
        return result
    }

    private static func characters(_ stored: EngagementSide.Item?, _ fetched: EngagementSide.Item?) -> Field? {
        let (old, new) = (stored?.fields[lengthName], fetched?.fields[lengthName])
        return fields([lengthName: old].compactMapValues(\.self), [lengthName: new].compactMapValues(\.self)).first
    }

    /// The field of a transcript that says how long it is.
    private static let lengthName = "characters"

    /// By what an item is recognised: its id, else its content; of equal ones in a list of items of its own, which of them.
    private enum Key: Hashable {
        case id(String)
        case content([String: String], Int)
        case only
    }

    private static func keyed(
        _ items: [EngagementSide.Item], of part: Expand
    ) -> [(Key, EngagementSide.Item)] {
        var counts: [[String: String]: Int] = [:]
        return items.map { item in
            if let id = item.id { return (.id(id), item) }
            if part == .transcript || part == .mediaURL { return (.only, item) }
            guard part == .actionItems || part == .signals else { return (.content(item.fields, 1), item) }
            counts[item.fields, default: 0] += 1
            return (.content(item.fields, counts[item.fields, default: 0]), item)
        }
    }
}

extension Difference.Part {
    fileprivate var hasItems: Bool { !(added.isEmpty && removed.isEmpty && changed.isEmpty) }
}
