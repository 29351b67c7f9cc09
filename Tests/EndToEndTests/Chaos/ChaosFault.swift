import TestKit

/// What a chaos run does to its workers, their database and their API.
enum ChaosFault: String, CaseIterable, Sendable {
    // A worker's process.
    case kill, term, freeze
    // A worker's connections to Postgres.
    case databaseBlackhole, databaseDelay, databaseDrip, databaseCut, databaseReset, databaseFlap, databaseSwallow
    // A worker's connections to the API.
    case apiBlackhole, apiDelay, apiDrip, apiCut, apiReset, apiFlap, apiSwallow
    // Postgres itself.
    case backend, restartFast, restartImmediate, snapshot, rowLock, tableLock, bells, readOnly
    // The API itself.
    case apiError, apiRateLimit, apiPage, apiHang, apiOwnError, scope, token

    /// Two faults that need the same are not done at the same time.
    enum Resource: Hashable, Sendable {
        case process(Int)
        case databaseLine(Int)
        case databaseAnswers(Int)
        case apiLine(Int)
        case apiAnswers(Int)
        case cluster, snapshot, locks, bells, api, ownErrors, scope, token
    }

    func resource(_ slot: Int) -> Resource {
        switch self {
        case .kill, .term, .freeze: .process(slot)
        case .databaseBlackhole, .databaseDelay, .databaseDrip, .databaseCut, .databaseReset, .databaseFlap:
            .databaseLine(slot)
        case .databaseSwallow: .databaseAnswers(slot)
        case .apiBlackhole, .apiDelay, .apiDrip, .apiCut, .apiReset, .apiFlap: .apiLine(slot)
        case .apiSwallow: .apiAnswers(slot)
        case .backend, .restartFast, .restartImmediate, .readOnly: .cluster
        case .snapshot: .snapshot
        case .rowLock, .tableLock: .locks
        case .bells: .bells
        case .apiError, .apiRateLimit, .apiPage, .apiHang: .api
        case .apiOwnError: .ownErrors
        case .scope: .scope
        case .token: .token
        }
    }

    /// How long it lasts, in milliseconds.
    var length: ClosedRange<Int> {
        switch self {
        case .kill, .term: 0...1_500
        // Past the lease.
        case .freeze: 5_500...8_000
        case .databaseBlackhole, .apiBlackhole: 1_000...7_000
        case .snapshot: 4_000...10_000
        case .rowLock, .tableLock: 1_000...3_000
        case .scope: 3_000...6_000
        // A request is given up after 4 s, and what is asked for then is to fail, too, after another 4.
        case .apiHang: 8_500...12_000
        case .apiError, .apiPage: 2_000...5_000
        case .backend, .restartFast, .restartImmediate, .bells: 500...1_500
        default: 500...3_000
        }
    }

    /// The fault of a line's proxy.
    var ofLine: FaultProxy.Fault? {
        switch self {
        case .databaseBlackhole, .apiBlackhole: .blackhole
        case .databaseDelay: .delay(.milliseconds(60))
        case .apiDelay: .delay(.milliseconds(300))
        case .databaseDrip: .drip(bytes: 200, every: .milliseconds(10))
        case .apiDrip: .drip(bytes: 20, every: .milliseconds(50))
        case .databaseCut: .cutAfter(bytes: 3_000)
        case .apiCut: .cutAfter(bytes: 600)
        case .databaseReset, .apiReset: .rst
        case .databaseFlap, .apiFlap: .flap(every: .milliseconds(250))
        default: nil
        }
    }

    /// What the proxy counts when it does this.
    var kind: FaultKind? {
        switch self {
        case .databaseSwallow, .apiSwallow: .swallowReply
        case .databaseBlackhole, .apiBlackhole: .blackhole
        case .databaseDelay, .apiDelay: .delay
        case .databaseDrip, .apiDrip: .drip
        case .databaseCut, .apiCut: .cutAfter
        case .databaseReset, .apiReset: .rst
        case .databaseFlap, .apiFlap: .flap
        default: nil
        }
    }

    /// Requests fail on their way.
    var breaksRequests: Bool {
        switch self {
        case .apiBlackhole, .apiDelay, .apiDrip, .apiCut, .apiReset, .apiFlap, .apiSwallow: true
        default: false
        }
    }

    /// A worker's connections to Postgres fail or hang.
    var breaksDatabaseLine: Bool {
        switch self {
        case .databaseBlackhole, .databaseDrip, .databaseCut, .databaseReset, .databaseFlap, .databaseSwallow: true
        default: false
        }
    }

    /// Postgres serves nobody, or not all.
    var breaksDatabase: Bool {
        [.backend, .restartFast, .restartImmediate, .tableLock, .readOnly].contains(self)
    }

    /// Requests arrive late, or only when the fault is over.
    var slowsRequests: Bool { [.apiBlackhole, .apiDelay, .apiDrip].contains(self) }

    /// The API as a whole does not serve: for that nobody is charged.
    var isWholeAPI: Bool { [.apiError, .apiPage, .apiHang].contains(self) }
}
