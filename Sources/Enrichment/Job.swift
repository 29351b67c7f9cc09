import AskElephant

/// The lane of a job: the sign of its priority.
package enum Lane: Int, CaseIterable, Sendable, Comparable {
    case background = -1
    case normal = 0
    case live = 1

    /// In the order in which they are served.
    package static let inOrder: [Lane] = [.live, .normal, .background]

    package static func < (left: Lane, right: Lane) -> Bool { left.rawValue < right.rawValue }
}

/// The ETag of what is stored of an engagement, and the parts that were asked for then: it says nothing of others.
struct StoredETag: Sendable, Equatable {
    let etag: String
    let parts: Set<Expand>
}

/// One claimed row of the queue.
package struct Job: Sendable, Equatable {
    package let id: Int64
    /// With ``id`` and the worker's boot id the token without which nothing is written.
    package let claims: Int64
    /// As it was inserted, cut to 100 characters; nil for NULL.
    package let engagementID: String?
    package let reason: String?
    package let lane: Lane
    package let attempts: Int
    /// How many workers died holding it.
    package let losses: Int
    package let looks: Int
    /// From when it was due to its claim.
    package let waitMilliseconds: Int64
    /// What is stored of its engagement, if a request may name that.
    var stored: StoredETag?
    /// The engagement was purged.
    package var isSuppressed = false

    package init(
        id: Int64, claims: Int64, engagementID: String?, reason: String? = nil, lane: Lane = .normal, attempts: Int = 0,
        losses: Int = 0, looks: Int = 0, waitMilliseconds: Int64 = 0
    ) {
        self.id = id
        self.claims = claims
        self.engagementID = engagementID
        self.reason = reason
        self.lane = lane
        self.attempts = attempts
        self.losses = losses
        self.looks = looks
        self.waitMilliseconds = waitMilliseconds
    }

    /// So many workers died holding it that it is not run any more.
    package var isPoison: Bool { losses >= 5 }
}
