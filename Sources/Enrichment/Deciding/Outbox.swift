package import AskElephant

/// What an ended request leaves for its `job.done` line.
package struct FetchRecord: Sendable {
    package var httpStatus: Int?
    package var requestID: String?
    package var requests = 0
    package var fetchMilliseconds: Int64?

    package init() {}
}

/// A document to write.
package struct ReadyDocument: Sendable {
    package var fetch: Fetch
    package var document: Document
    /// Database clock just before the request, as text.
    package var observedAt: String
    package var asked: [Expand]
    package var record: FetchRecord
    /// What had to be repaired in it, for `_issues`.
    package var repairs: [String]
    /// There is no document: what is stored with its ETag still holds.
    package var isNotModified = false
    /// It was mended after Postgres refused it; a second refusal is final.
    package var isMended = false

    var byteCount: Int { document.byteCount }
}

/// Jobs that ended without a document.
package struct Settlement: Sendable {
    package var engagementID: EngagementID?
    package var ends: [JobEnd]
    package var observedAt: String?
    package var error: String?
    package var record = FetchRecord()
    /// False for rows that were given back before a request was out for them.
    package var wasInHand = true
}

/// What the writers have to do, in order of arrival. Bounded by what is in hand, and a batch by count and bytes.
///
/// A document that is larger than a batch goes alone, and by one writer only: each connection that wrote such a one keeps
/// a buffer of its size.
struct Outbox {
    struct Batch {
        var documents: [ReadyDocument] = []
        var settlements: [Settlement] = []
    }

    static let maxDocuments = 100
    static let maxBytes = 8 << 20
    static let maxSettlements = 200

    private var documents: [ReadyDocument] = []
    private var large: [ReadyDocument] = []
    private var settlements: [Settlement] = []
    private var lastWasLarge = false

    var isEmpty: Bool { count == 0 }
    var count: Int { documents.count + large.count + settlements.count }

    mutating func append(_ document: ReadyDocument) {
        if document.byteCount > Self.maxBytes { large.append(document) } else { documents.append(document) }
    }
    mutating func append(_ settlement: Settlement) { settlements.append(settlement) }

    var hasLarge: Bool { !large.isEmpty }
    var hasOrdinary: Bool { !documents.isEmpty || !settlements.isEmpty }

    /// Up to 100 documents of together 8 MB, or a single larger one, and the settlements that wait; no row twice.
    mutating func takeBatch(orLarge takesLarge: Bool) -> Batch? {
        guard hasOrdinary || takesLarge && hasLarge else { return nil }
        if takesLarge, !large.isEmpty, !lastWasLarge || documents.isEmpty {
            lastWasLarge = true
            return Batch(documents: [large.removeFirst()], settlements: takeSettlements())
        }
        lastWasLarge = false
        return Batch(documents: takeDocuments(), settlements: takeSettlements())
    }

    private mutating func takeDocuments() -> [ReadyDocument] {
        var bytes = 0
        let taken = documents.prefix(Self.maxDocuments).prefix { ready in
            bytes += ready.byteCount
            return bytes <= Self.maxBytes
        }
        defer { documents.removeFirst(taken.count) }
        return Array(taken)
    }

    private mutating func takeSettlements() -> [Settlement] {
        // A row whose lease ran out in an outage may be claimed again while its first end still waits: each of the two ends
        // goes by its own token.
        var rows: Set<Int64> = []
        let settling = settlements.prefix(Self.maxSettlements).prefix { settlement in
            settlement.ends.allSatisfy { rows.insert($0.job.id).inserted }
        }
        let taken = settlements.prefix(max(1, settling.count))
        defer { settlements.removeFirst(taken.count) }
        return Array(taken)
    }
}
