package import AskElephant

/// A walk through the list of engagements, oldest change first: pure.
///
/// Cursors are only a convenience: one that is refused, comes again or leads in a circle is dropped, and the walk goes on from its
/// checkpoint, the time up to which everything was seen. So it ends for any list that is in order, and says so where one is not.
package struct ListWalk: Sendable, Equatable {
    package enum Next: Sendable, Equatable {
        case ask(EngagementList)
        case finished
        /// More engagements than a page holds changed at this one time, and no cursor leads past them.
        case stuck(at: UpdateTime?)
    }

    /// A little is looked at twice: changes that were being committed while the list was read.
    package static let overlap: Int64 = 300

    private let until: UpdateTime?
    /// Everything that changed before was seen.
    package private(set) var checkpoint: UpdateTime?
    private var from: UpdateTime?
    private var cursor: String?
    /// Of this pass, to see a circle.
    private var cursors: Set<String> = []
    /// The latest time of this pass.
    private var latest: UpdateTime?
    /// The order of the list is not what was asked for: what is behind may be older than what was seen.
    private var isDisordered = false
    /// Where the last pass without a cursor began.
    private var passBegan: UpdateTime??

    /// - Parameter checkpoint: where an earlier walk had come to.
    package init(since: UpdateTime?, until: UpdateTime?, checkpoint: UpdateTime? = nil) {
        self.until = until
        self.checkpoint = checkpoint
        from = checkpoint?.earlier(by: Self.overlap) ?? since
        if let since, let from, from < since { self.from = since }
    }

    /// The first page to ask for.
    package var first: Next { .ask(EngagementList(from: from, until: until, cursor: nil)) }

    /// A page arrived and what it says was stored.
    package mutating func took(_ page: EngagementPage) -> Next {
        for entry in page.entries {
            guard let time = entry.updatedAt else { continue }
            if let latest, time < latest { isDisordered = true }
            latest = max(latest ?? time, time)
        }
        guard let next = page.next else {
            checkpoint = [checkpoint, latest].compactMap(\.self).max()
            return .finished
        }
        // The last ones of a page may have others of their time behind them, which are asked for once more then.
        if !isDisordered { checkpoint = [checkpoint, latest].compactMap(\.self).max() }
        guard cursors.insert(next).inserted else { return startOver() }
        cursor = next
        return ask
    }

    /// The API did not take the cursor. Nil if there was none: then it is something else that it does not take.
    package mutating func cursorRefused() -> Next? { cursor == nil ? nil : startOver() }

    private var ask: Next { .ask(EngagementList(from: from, until: until, cursor: cursor)) }

    /// From the checkpoint on, without a cursor.
    private mutating func startOver() -> Next {
        let start = checkpoint ?? from
        guard passBegan != .some(start) else { return .stuck(at: start) }
        passBegan = .some(start)
        from = start
        cursor = nil
        cursors = []
        latest = nil
        isDisordered = false
        return ask
    }
}
