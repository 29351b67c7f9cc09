/// One request that arrived.
package struct JournalEntry: Sendable, Equatable {
    /// From 1, in order of arrival.
    package let number: Int
    /// `nil` for the list and for unknown routes.
    package let id: String?
    /// Of the list, which has no id.
    package let isList: Bool
    /// The known parts asked for.
    package let parts: SimParts
    /// When it arrived.
    package let time: ContinuousClock.Instant
    /// `nil` until it was answered.
    package internal(set) var status: Int?
}

/// What was asked for, in order. Beyond a million entries the older half is forgotten; the counts stay.
struct Journal: Sendable {
    let capacity: Int
    private(set) var entries: [JournalEntry] = []
    private(set) var total = 0
    private var counts: [String: Int] = [:]

    init(capacity: Int = 1_000_000) {
        self.capacity = capacity
    }

    func count(_ id: String) -> Int {
        counts[id, default: 0]
    }

    /// - Returns: the number of the request.
    mutating func arrived(_ resource: Route.Resource, _ parts: SimParts) -> Int {
        if entries.count >= capacity { entries.removeFirst(capacity / 2) }
        total += 1
        var id: String?
        if case .engagement(let named) = resource { id = named }
        entries.append(JournalEntry(number: total, id: id, isList: resource == .list, parts: parts, time: .now))
        if let id { counts[id, default: 0] += 1 }
        return total
    }

    mutating func answered(_ number: Int, _ status: Int) {
        guard let first = entries.first?.number, number >= first else { return }
        entries[number - first].status = status
    }

    /// Forgets what was asked for, not how much: numbers go on, so that an open request finds no other's entry.
    mutating func clear() {
        entries.removeAll()
        counts.removeAll()
    }
}
