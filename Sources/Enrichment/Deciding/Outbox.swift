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
    /// It was mended after Postgres refused it; a second refusal is final.
    package var isMended = false
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
struct Outbox {
    struct Batch {
        var documents: [ReadyDocument] = []
        var settlements: [Settlement] = []
    }

    static let maxDocuments = 100
    static let maxBytes = 8 << 20
    static let maxSettlements = 200

    private var documents: [ReadyDocument] = []
    private var settlements: [Settlement] = []

    var isEmpty: Bool { documents.isEmpty && settlements.isEmpty }
    var count: Int { documents.count + settlements.count }

    mutating func append(_ document: ReadyDocument) { documents.append(document) }
    mutating func append(_ settlement: Settlement) { settlements.append(settlement) }

    /// Up to 100 documents of together 8 MB, or a single larger one, and the settlements that wait; no row twice.
    mutating func takeBatch() -> Batch? {
        guard !isEmpty else { return nil }
        var bytes = 0
        let fitting = documents.prefix(Self.maxDocuments).prefix { ready in
            bytes += ready.document.json.count + (ready.document.transcript?.count ?? 0)
            return bytes <= Self.maxBytes
        }
        let taken = documents.isEmpty ? 0 : max(1, fitting.count)
        // A row whose lease ran out in an outage may be claimed again while its first end still waits: each of the two ends
        // goes by its own token.
        var rows: Set<Int64> = []
        let settling = settlements.prefix(Self.maxSettlements).prefix { settlement in
            settlement.ends.allSatisfy { rows.insert($0.job.id).inserted }
        }
        let settled = settlements.isEmpty ? 0 : max(1, settling.count)
        defer {
            documents.removeFirst(taken)
            settlements.removeFirst(settled)
        }
        return Batch(documents: Array(documents.prefix(taken)), settlements: Array(settlements.prefix(settled)))
    }
}
