import AskElephant
import Postgres

/// What the credential may read, as this worker knows it: learned by itself, or looked up from what others wrote down.
actor ScopeBook {
    /// What a job asks for.
    struct Plan: Sendable {
        var parts: Set<Expand>
        /// A denied part that this job tries again along with them.
        var trying: Expand?
        /// It waited for others, who all go on at the same time.
        var hasWaited = false
        fileprivate var learner: Learning.Learner?
        /// It was sent for comparison with this one.
        fileprivate var compared: Learning.Learner?

        /// It asks for what is known to be readable, and is to find out nothing.
        var isOrdinary: Bool { trying == nil && learner == nil && compared == nil }

        /// What turned out to be readable, or not to be the credential's matter.
        func parts(without denials: [ScopeFallback.Denial]) -> [Expand] {
            Expand.allCases.filter { part in
                (parts.contains(part) || part == trying) && !denials.contains { $0.part == part }
            }
        }
    }

    enum Turn: Sendable {
        case askAgain(Plan)
        /// On with what was begun; as the learner if the plan says so.
        case goOn(Plan)
    }

    private let store: CredentialStore
    private let log: Log
    private var learning: Learning
    private var due: Set<Expand> = []
    private var withheld: Set<Expand> = []
    /// Denials that Postgres has not taken yet.
    private var unwritten: [(denials: [ScopeFallback.Denial], evidence: EngagementID)] = []
    private var isWriting = false
    /// Parts that arrived, of which Postgres was not told yet.
    private var arrived: Set<Expand> = []
    /// Changes of our own; a look that was under way meanwhile knows nothing of them.
    private var epoch = 0
    private var waiting: [CheckedContinuation<Void, Never>] = []
    private var isStopping = false
    /// Jobs that were refused and wait for what is learned.
    private var refusedCount = 0

    nonisolated var unownedExecutor: UnownedSerialExecutor { ClientThread.actors }

    init(store: CredentialStore, log: Log) {
        self.store = store
        self.log = log
        learning = Learning(wanted: Set(store.wanted))
    }

    var denied: Set<Expand> { learning.denied }
    /// Postgres does not know all that was learned.
    var hasUnwritten: Bool { !unwritten.isEmpty }
    var isKnown: Bool { learning.isKnown }

    /// Something was read with this credential before.
    func know() { learning.know() }

    func stop() {
        isStopping = true
        wake()
    }

    // MARK: The senders' side

    /// What to ask for; waits while somebody learns. Nil once the worker stops.
    ///
    /// - Parameter mayTry: whether the job may try a denied part: not one that is likely to be refused as a whole, since
    ///   that would tell nothing of the part.
    func plan(mayTry: Bool) async -> Plan? {
        var hasWaited = false
        while !isStopping {
            // Those who were refused first: one of them may have to learn, where the last one could not.
            if learning.isBusy(.now) || refusedCount > 0 {
                if let learner = learning.beginComparison() { return Plan(parts: learning.allowed, compared: learner) }
                await change()
                hasWaited = true
                continue
            }
            let learner = learning.begin(.now)
            if learner == nil, mayTry, let part = due.first(where: learning.denied.contains) {
                due.remove(part)
                if (try? await store.takeProbe(part)) == true { return Plan(parts: learning.allowed, trying: part) }
                continue
            }
            return Plan(parts: learning.allowed, hasWaited: hasWaited, learner: learner)
        }
        return nil
    }

    /// A request was refused that asked for nothing but what was readable until now.
    func refused(_ parts: Set<Expand>, sent: ContinuousClock.Instant, _ plan: Plan) async -> Turn {
        if plan.learner != nil { return .goOn(plan) }
        refusedCount += 1
        defer {
            refusedCount -= 1
            if refusedCount == 0 { wake() }
        }
        // At a stop, too: the learner comes to an end, and what it learns spares the others their own search.
        while !Task.isCancelled {
            switch learning.refused(parts, sent: sent, now: .now) {
            case .askAgain:
                // What was tried along with it is not answered.
                if let part = plan.trying { try? await store.probeAgain(part) }
                return .askAgain(Plan(parts: learning.allowed))
            case .goOn: return .goOn(plan)
            case .wait: await change()
            case .learn(let learner):
                // Another worker may have learned it a moment ago.
                await look()
                wake()
                guard parts.isDisjoint(with: learning.denied) else {
                    end(learner)
                    continue
                }
                var plan = plan
                plan.learner = learner
                return .goOn(plan)
            }
        }
        return .goOn(plan)
    }

    /// A request of the plan was answered.
    func answered(_ plan: Plan) {
        if let learner = plan.learner { learning.progressed(learner, now: .now) }
    }

    func delivered(_ parts: Set<Expand>, sent: ContinuousClock.Instant) {
        let wasBusy = learning.isBusy(.now)
        learning.delivered(parts, sent: sent)
        if wasBusy { wake() }
    }

    /// A job has ended its requests: what it found counts for all.
    func conclude(_ plan: Plan, _ fallback: ScopeFallback, of engagement: EngagementID) async {
        if fallback.delivered != nil { learning.know() }
        if !fallback.denials.isEmpty {
            change(to: learning.denied.union(fallback.denials.map(\.part)))
            unwritten.append((fallback.denials, engagement))
        }
        if let learner = plan.learner { end(learner) }
        if let learner = plan.compared {
            learning.endComparison(with: learner)
            wake()
        }
        if let part = plan.trying {
            if fallback.isGranted {
                change(to: learning.denied.subtracting([part]))
                await grant(part)
            } else if !fallback.denials.contains(where: { $0.part == part }) {
                try? await store.probeAgain(part)
            }
        }
        await writeDenials()
    }

    // MARK: The writers' side

    /// What a written answer brought of what it was asked for, and what it left out.
    func wrote(arrived: Set<Expand>, withheld missing: Set<Expand>) async {
        for part in arrived.intersection(withheld) {
            withheld.remove(part)
            await grant(part)
        }
        withheld.formUnion(missing)
    }

    // MARK: What others know

    /// Reads what other workers and people changed; nil when the database does not say.
    @discardableResult
    func look() async -> CredentialStore.Look? {
        // For those who wait for a learner that hangs.
        wake()
        await writeDenials()
        for part in arrived { await grant(part) }
        let before = epoch
        guard let look = try? await store.look() else { return nil }
        guard before == epoch, unwritten.isEmpty, arrived.isEmpty else { return look }
        if learning.setDenied(look.denied.intersection(store.wanted)) { wake() }
        due = look.due
        withheld.formUnion(look.withheld)
        return look
    }

    /// Tries all denied parts again, as on SIGHUP.
    func recheck() async { try? await store.recheck() }

    /// The parts to try again for which a job has to be made, when none comes by itself.
    var dueParts: Set<Expand> { due.intersection(learning.denied) }

    // MARK: -

    private func grant(_ part: Expand) async {
        arrived.insert(part)
        guard let isNew = try? await store.grant(part), arrived.remove(part) != nil, isNew else { return }
        log(
            .notice, .scopeGranted, "a part can be read that was missing: engagements that lack it are fetched again",
            [.part: .string(part.rawValue), .scope: LogValue(part.scope?.rawValue)])
    }

    private func writeDenials() async {
        guard !isWriting else { return }
        isWriting = true
        defer { isWriting = false }
        while let (denials, evidence) = unwritten.first {
            guard let new = try? await store.deny(denials, evidence: evidence) else { return }
            unwritten.removeFirst()
            epoch += 1
            for denial in denials where new.contains(denial.part) { announce(denial, evidence) }
        }
    }

    private func announce(_ denial: ScopeFallback.Denial, _ evidence: EngagementID) {
        let scope = denial.part.scope?.rawValue
        let hint =
            scope.map { "grant \($0) to the credential; the part then fills in by itself" }
            ?? "no scope is documented for this part: ask AskElephant about the request; the part then fills in by itself"
        log(
            .warning, .scopeDenied, "the credential may not read a part: everything else is kept",
            [
                .part: .string(denial.part.rawValue), .scope: LogValue(scope),
                .engagementID: .string(evidence.rawValue), .requestID: LogValue(denial.requestID), .hint: .string(hint),
            ]
        )
    }

    private func change(to denied: Set<Expand>) {
        epoch += 1
        if learning.setDenied(denied) { wake() }
    }

    private func end(_ learner: Learning.Learner) {
        learning.ended(learner)
        wake()
    }

    private func change() async {
        await withCheckedContinuation { waiting.append($0) }
    }

    private func wake() {
        for continuation in waiting { continuation.resume() }
        waiting = []
    }
}
