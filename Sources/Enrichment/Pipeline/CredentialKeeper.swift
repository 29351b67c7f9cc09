import AskElephant
import Postgres

/// The credential: whether the API takes it, and what happens while it does not.
///
/// While it is refused nothing is claimed and no job is charged. A changed token is tried at once, and until there is an
/// answer that tells something, by one request of all workers a second; a refused one every 30 s. Both with a page of one
/// engagement, which needs no job and tells a refused token (401) from one without `engagements:read` (403).
actor CredentialKeeper {
    enum Trouble: String, Sendable {
        /// There is none, or none that fits a header.
        case missing
        /// 401
        case refused
        /// 403 for a page of engagements.
        case forbidden
    }

    /// Whether the credential may read engagements at all.
    enum Base: Sendable { case readable, troubled, unknown }

    private static let lookInterval: Duration = .seconds(1)
    private static let tryInterval: Duration = .seconds(30)
    private static let doubtInterval: Duration = .seconds(1)

    private let source: CredentialSource
    private let store: CredentialStore
    private let scopes: ScopeBook
    private let board: JobBoard
    private let client: Client
    private let budget: ByteBudget
    private let health: APIHealth
    private let governor: Governor
    private let log: Log
    private(set) var trouble: Trouble?
    private var wasMissing = false
    private var salt: String?
    /// The token that Postgres was told of.
    private var seen: Credential?
    /// The token that was tried last, or is known to be refused.
    private var tried: Credential?
    /// The answer to that told nothing of the token.
    private var isInDoubt = false
    /// A token that was served again after it had been refused.
    private var acquitted: Credential?
    private var lastTry = ContinuousClock.now - tryInterval
    private let base = SharedQuestion<Base>()
    /// A command that works once does not wait for another token.
    private let stopsOnTrouble: Bool
    /// What Postgres has to be told yet, and of which token.
    private var unwritten: (state: CredentialStore.State, credential: Credential)?
    /// Changes of our own; a look that was under way meanwhile knows nothing of them.
    private var epoch = 0

    nonisolated var unownedExecutor: UnownedSerialExecutor { ClientThread.actors }

    init(
        source: CredentialSource, store: CredentialStore, scopes: ScopeBook, board: JobBoard, client: Client,
        budget: ByteBudget, health: APIHealth, governor: Governor, log: Log, stopsOnTrouble: Bool
    ) {
        self.source = source
        self.store = store
        self.scopes = scopes
        self.board = board
        self.client = client
        self.budget = budget
        self.health = health
        self.governor = governor
        self.log = log
        self.stopsOnTrouble = stopsOnTrouble
    }

    /// What to send; nil while there is nothing that would be taken.
    var usable: Credential? { trouble == nil ? source.credential : nil }

    /// Learns what other workers know of the credential; before the first request.
    func open() async {
        guard source.credential != nil else { return await enter(.missing) }
        guard let state = await announce() else { return }
        await adopt(state)
    }

    /// What a 401 means.
    enum Refusal: Sendable {
        /// Another token is there by now: try that.
        case isReplaced
        /// Nothing can be read at all.
        case isRefused
        /// Others are served: this one engagement is answered so.
        case isItsOwn
    }

    /// A request was answered with 401.
    func refused(_ used: Credential, requestID: String?) async -> Refusal {
        source.reload()
        if let credential = source.credential, credential != used { return trouble == nil ? .isReplaced : .isRefused }
        // It was refused before and then served again, unchanged: this time ask whether it is the token.
        if trouble == nil, used == acquitted, await confirmBase(after: .now) == .readable { return .isItsOwn }
        (tried, isInDoubt) = (used, false)
        await enter(.refused, requestID: requestID)
        return .isRefused
    }

    /// Whether engagements can be read at all: asked by one request after that time for all who want to know.
    func confirmBase(after time: ContinuousClock.Instant) async -> Base {
        await base.value(ask: { await self.askForPage() }, isOfUse: { $0.asked > time })
    }

    /// Tells Postgres that something was read, where no look did yet: for a worker that ends soon.
    func close() async {
        if trouble == nil, await scopes.isKnown, let seen { await judge(.ok, of: seen) }
    }

    /// Runs until the task is cancelled.
    func watch() async {
        while !Task.isCancelled {
            await look()
            do { try await Task.sleep(for: Self.lookInterval) } catch { return }
        }
    }

    // MARK: -

    private func look() async {
        source.reload()
        let credential = source.credential
        guard let credential else {
            // A file that is being written may be empty for a moment.
            if wasMissing { await enter(.missing) }
            wasMissing = true
            return
        }
        wasMissing = false
        // The database may be away; the API need not wait for it.
        if credential != seen { _ = await announce() }
        if trouble != nil, credential != tried { return await tryAgain() }
        if let unwritten { await judge(unwritten.state, of: unwritten.credential) }
        let before = epoch
        guard let look = await scopes.look() else {
            if trouble != nil, .now - lastTry >= Self.tryInterval { await tryAgain() }
            return
        }
        await governor.heed(look.rate)
        guard before == epoch, unwritten == nil else { return }
        let isOurs = look.fingerprint == fingerprint(credential)
        if isOurs { await adopt(look.state) }
        if trouble != nil {
            if !isOurs ? .now - lastTry >= Self.tryInterval : await mayTry(credential) { await tryAgain() }
            return
        }
        if look.isFillable, await scopes.isKnown, await !scopes.hasUnwritten { _ = try? await store.refill() }
        if look.isReleasing { _ = try? await store.releaseDead() }
        if look.isSpreading { _ = try? await store.spreadChanges() }
        if await board.isEmpty, let part = await scopes.dueParts.first { _ = try? await store.queueProbe(part) }
    }

    /// Tells Postgres of the token; the state that is known of it, nil when Postgres is away.
    private func announce() async -> CredentialStore.State? {
        guard let credential = source.credential else { return nil }
        if salt == nil { salt = try? await store.salt() }
        guard let fingerprint = fingerprint(credential), let state = try? await store.see(fingerprint) else {
            return nil
        }
        seen = credential
        // What others found out that it may not read; without that, all requests that are sent at once are refused.
        await scopes.look()
        return state
    }

    /// What another worker found out about the same token.
    private func adopt(_ state: CredentialStore.State) async {
        switch state {
        case .refused: await adopt(Trouble.refused)
        case .forbidden: await adopt(Trouble.forbidden)
        case .ok:
            await scopes.know()
            await leave()
        case .unknown: if trouble == nil, let seen, await scopes.isKnown { await judge(.ok, of: seen) }
        }
    }

    private func adopt(_ new: Trouble) async {
        // A command that works once finds out for itself.
        guard !stopsOnTrouble else { return }
        (tried, isInDoubt) = (seen, false)
        await enter(new, isNews: false)
    }

    private func mayTry(_ credential: Credential) async -> Bool {
        guard let fingerprint = fingerprint(credential) else { return false }
        let interval = isInDoubt ? Self.doubtInterval : Self.tryInterval
        return (try? await store.mayTry(fingerprint, every: interval)) ?? false
    }

    private func tryAgain() async {
        let isUnchanged = source.credential == tried
        switch await askForPage().value {
        case .readable:
            if isUnchanged { acquitted = tried }
            if let tried { await judge(await scopes.isKnown ? .ok : .unknown, of: tried) }
            await leave()
        // It may be another token than the one of which Postgres knows that.
        case .troubled: await tell()
        case .unknown: break
        }
    }

    private func askForPage() async -> SharedQuestion<Base>.Answer {
        guard let credential = source.credential else { return .init(asked: .now, value: .troubled) }
        lastTry = .now
        (tried, isInDoubt) = (credential, true)
        guard await board.takeTurn(isFirst: true) else { return .init(asked: .now, value: .unknown) }
        let sent = ContinuousClock.now
        let reply = await client.probe(credential, budget: budget)
        await health.note(reply, sent: sent)
        return .init(asked: sent, value: await learn(reply, of: credential))
    }

    private func learn(_ reply: Reply, of credential: Credential) async -> Base {
        // It says nothing of a token that came meanwhile.
        guard credential == source.credential else { return .unknown }
        let verdict: Trouble?
        switch reply {
        case .document: verdict = nil
        case .unauthorized: verdict = .refused
        case .forbidden: verdict = .forbidden
        default: return .unknown
        }
        isInDoubt = false
        guard let verdict else { return .readable }
        await enter(verdict, requestID: reply.requestID)
        return .troubled
    }

    private func enter(_ new: Trouble, requestID: String? = nil, isNews: Bool = true) async {
        if trouble != new {
            trouble = new
            epoch += 1
            log(
                .error, .credentialInvalid, "the API does not take the credential: jobs wait, uncharged",
                [.cause: .string(new.rawValue), .requestID: LogValue(requestID), .hint: .string(new.hint)])
            await board.hold()
            // The two may reach the board in the other order.
            if trouble == nil { await board.resume() }
            if stopsOnTrouble { await board.stop() }
        }
        if isNews { await tell() }
    }

    /// Tells Postgres of the trouble with the token that was tried.
    private func tell() async {
        guard let tried else { return }
        switch trouble {
        case nil, .missing: break
        case .refused: await judge(.refused, of: tried)
        case .forbidden: await judge(.forbidden, of: tried)
        }
    }

    private func leave() async {
        guard trouble != nil else { return }
        trouble = nil
        epoch += 1
        log(.notice, .credentialRestored, "the API takes the credential again")
        await board.resume()
        if trouble != nil { await board.hold() }
    }

    /// Postgres takes what is said of the token that it was told of last.
    private func judge(_ state: CredentialStore.State, of credential: Credential) async {
        unwritten = (state, credential)
        guard seen != nil, let fingerprint = fingerprint(credential) else { return }
        guard (try? await store.judge(state, of: fingerprint)) != nil else { return }
        if let unwritten, unwritten == (state, credential) { self.unwritten = nil }
    }

    private func fingerprint(_ credential: Credential) -> String? { salt.map(credential.fingerprint) }
}

extension CredentialKeeper.Trouble {
    var hint: String {
        switch self {
        case .missing: "put a token into ASKELEPHANT_TOKEN_FILE or ASKELEPHANT_TOKEN"
        case .refused:
            "put a valid token into ASKELEPHANT_TOKEN_FILE: it is read again within a second (ASKELEPHANT_TOKEN: restart)"
        case .forbidden: "grant engagements:read to the credential, or put another token into ASKELEPHANT_TOKEN_FILE"
        }
    }

    /// For the heartbeat's `why`.
    var reason: String {
        switch self {
        case .missing: "there is no credential"
        case .refused: "the API refuses the credential"
        case .forbidden: "the credential lacks engagements:read"
        }
    }
}
