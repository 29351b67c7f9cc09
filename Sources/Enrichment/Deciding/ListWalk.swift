package import AskElephant

/// A walk through the list of engagements, oldest change first: pure.
///
/// It goes by time: each page is asked for from the latest time of the one before. What a cursor means once the engagement that it names
/// has changed is not known (U-15), so one is followed only where time does not lead on: while all of a page changed at one time, and
/// where a page is not in the order that was asked for.
package struct ListWalk: Sendable, Equatable {
    package enum Next: Sendable, Equatable {
        case ask(EngagementList)
        case finished
        /// Time does not lead on from here, and no cursor does.
        case stuck(at: UpdateTime?)
    }

    /// A little is looked at twice: changes that were being committed while the list was read.
    package static let overlap: Int64 = 300

    private let until: UpdateTime?
    /// Everything that changed before was seen.
    package private(set) var checkpoint: UpdateTime?
    private var from: UpdateTime?
    private var cursor: String?
    /// The latest time since ``from``.
    private var latest: UpdateTime?
    /// What was seen of the time ``from``, and since it while a cursor is followed.
    private var seen: Set<EngagementID> = []
    /// What comes next may have changed before what came.
    private var isDisordered = false

    /// - Parameter checkpoint: where an earlier walk had come to.
    package init(since: UpdateTime?, until: UpdateTime?, checkpoint: UpdateTime? = nil) {
        self.until = until
        self.checkpoint = checkpoint
        from = [checkpoint?.earlier(by: Self.overlap), since].compactMap(\.self).max()
    }

    package var next: Next { .ask(EngagementList(from: from, until: until, cursor: cursor)) }

    /// A page arrived. What of it was not on the page before, and what to do once that is stored.
    package mutating func took(_ page: EngagementPage) -> (new: [EngagementPage.Entry], next: Next) {
        let new = page.entries.filter { seen.insert($0.id).inserted }
        for time in page.entries.compactMap(\.updatedAt) {
            if let latest, time < latest { isDisordered = true }
            latest = max(latest ?? time, time)
        }
        guard page.hasMore else {
            checkpoint = [checkpoint, latest].compactMap(\.self).max()
            return (new, .finished)
        }
        if !isDisordered, let step = step(page) {
            checkpoint = [checkpoint, step].compactMap(\.self).max()
            (from, latest) = (step, step)
            cursor = nil
            seen = Set(page.entries.filter { ($0.updatedAt ?? step) >= step }.map(\.id))
            return (new, next)
        }
        guard let cursor = page.next, !new.isEmpty else { return (new, .stuck(at: from)) }
        self.cursor = cursor
        return (new, next)
    }

    /// Whence to go on by time: from the last time but one, where there is such. The last one may be of an engagement that changed after it was
    /// put into its place.
    private func step(_ page: EngagementPage) -> UpdateTime? {
        let times = Set(page.entries.compactMap(\.updatedAt)).filter { time in from.map { $0 < time } ?? true }.sorted()
        return times.dropLast().last ?? times.last
    }

    /// The API did not take the cursor. Nil if there was none: then it is something else that it does not take.
    package func cursorRefused() -> Next? { cursor == nil ? nil : .stuck(at: from) }
}
