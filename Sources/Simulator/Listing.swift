/// One row of the list: an engagement and when it changed.
struct ListEntry: Sendable {
    let updatedAt: SimTime
    let id: String
    var state: EngagementState

    /// Ties in time are settled by id, so that pages neither skip nor repeat.
    var key: ListKey { ListKey(milliseconds: updatedAt.milliseconds, id: id) }
}

struct ListKey: Sendable, Comparable {
    let milliseconds: Int64
    let id: String

    static func < (left: ListKey, right: ListKey) -> Bool {
        (left.milliseconds, left.id) < (right.milliseconds, right.id)
    }
}

/// The parameters of the list (contract section 10), as far as they are simulated.
struct ListQuery: Sendable {
    var limit = 25
    var isAscending = false
    /// Inclusive.
    var from = Int64.min
    /// Exclusive.
    var until = Int64.max
    /// Where the page before ended.
    var after: ListKey?
    /// The same by the engagement, wherever it is by now.
    var afterID: String?
    private var cursors = Switches.Cursors.lasting

    /// A cursor carries order and bounds with it, so a next page may repeat them or not, as the contract shows both.
    init(_ route: Route, _ switches: Switches) throws(Refusal) {
        cursors = switches.cursors
        for (name, value) in route.query.filter({ $0.name == "cursor" })
            + route.query.filter({ $0.name != "cursor" })
        {
            let problem = apply(name, value, switches)
            guard let problem, switches.badParameter != .ignored else { continue }
            throw Refusal(.invalid(name, code: problem, "This value cannot be used.", switches.badParameter))
        }
    }

    /// - Returns: what is wrong with the value, if anything.
    private mutating func apply(_ name: String, _ value: String, _ switches: Switches) -> String? {
        switch name {
        case "cursor":
            return switches.cursors != .expired && applyCursor(value) ? nil : "invalid_cursor"
        case "limit":
            let highest = switches.listLimit == .capped ? Int.max : 100
            guard let number = Int(value), (1...highest).contains(number) else { return "invalid_range" }
            limit = min(number, 100)
        case "order_by":
            guard ["updated_at:asc", "updated_at:desc"].contains(value) else { return "invalid_enum" }
            isAscending = value == "updated_at:asc"
        case "expand": return nil
        default: return name == "search" || name.hasPrefix("filter[") ? applyFilter(name, value) : nil
        }
        return nil
    }

    /// A documented filter that is not simulated is refused: ignoring it would answer with too much.
    private mutating func applyFilter(_ name: String, _ value: String) -> String? {
        guard name.hasPrefix("filter[updated_at]") else { return "not_simulated" }
        guard let time = SimTime(value) else { return "invalid_format" }
        switch name.dropFirst("filter[updated_at]".count) {
        case "[gt]": from = time.milliseconds + 1
        case "[gte]": from = time.milliseconds
        case "[lt]": until = time.milliseconds
        case "[lte]": until = time.milliseconds + 1
        default: return "not_simulated"
        }
        return nil
    }

    /// Opaque to clients. The plus signs and the equals sign see to it that a client must escape it.
    func cursor(after entry: ListEntry) -> String {
        if cursors == .byID { return "id+\(entry.id)=" }
        let fields = [
            isAscending ? "asc" : "desc", "\(from)", "\(until)", "\(entry.key.milliseconds)", entry.id,
        ]
        return fields.joined(separator: "+") + "="
    }

    private mutating func applyCursor(_ text: String) -> Bool {
        guard text.last == "=" else { return false }
        let fields = text.dropLast().split(separator: "+").map(String.init)
        if fields.count == 2, fields[0] == "id" {
            afterID = fields[1]
            return true
        }
        guard fields.count == 5, let from = Int64(fields[1]), let until = Int64(fields[2]) else {
            return false
        }
        guard let milliseconds = Int64(fields[3]) else { return false }
        isAscending = fields[0] == "asc"
        (self.from, self.until) = (from, until)
        after = ListKey(milliseconds: milliseconds, id: fields[4])
        return true
    }
}

/// The registered engagements, oldest change first.
struct Listing: Sendable {
    let keys: [ListKey]

    init(_ keys: [ListKey]) {
        self.keys = keys.sorted()
    }

    /// The ids of a page and of one entry more, as a sign that there are more.
    func page(_ query: ListQuery, isVisible: (String) -> Bool) -> [String] {
        var lower = firstIndex { $0.milliseconds >= query.from }
        var upper = firstIndex { $0.milliseconds >= query.until }
        let after = query.afterID.flatMap { id in keys.first { $0.id == id } } ?? query.after
        if let after {
            if query.isAscending { lower = max(lower, firstIndex { $0 > after }) }
            if !query.isAscending { upper = min(upper, firstIndex { $0 >= after }) }
        }
        var found: [String] = []
        while lower < upper, found.count <= query.limit {
            let id = keys[query.isAscending ? lower : upper - 1].id
            if isVisible(id) { found.append(id) }
            if query.isAscending { lower += 1 } else { upper -= 1 }
        }
        return found
    }

    /// By halving, since `keys` are in order.
    private func firstIndex(where condition: (ListKey) -> Bool) -> Int {
        var (low, high) = (0, keys.count)
        while low < high {
            let middle = (low + high) / 2
            if condition(keys[middle]) { high = middle } else { low = middle + 1 }
        }
        return low
    }
}
