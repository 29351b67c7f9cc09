/// What is measured, in this order within a round.
enum Leg: String, CaseIterable, Sendable {
    case api, queue, writing, copy, single
    case endToEnd = "end-to-end"
    case unchanged, slow, held, idle, pair, latency
    case deep, grown
    /// What `Tests/insert-cost` has measured just before.
    case inserting

    /// Measured with both sizes of documents; everything else with 8 KB alone.
    var isForBothSizes: Bool {
        switch self {
        case .api, .queue, .writing, .copy, .single, .endToEnd: true
        default: false
        }
    }

    /// Takes long to prepare, so the first round alone has it, its own two sides one after the other.
    var isOnce: Bool { [.deep, .grown, .inserting].contains(self) }
}
