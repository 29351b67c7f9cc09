import AskElephant

/// Whether the API as a whole is away, which no job is charged for.
///
/// A failure is a job's own only if a request that was sent after it was served. Where none was, one page of the list is
/// asked for, once for all who want to know: that it is served says something of what failed before it was asked for, that it is
/// not of all that was out at the same time. An API that is away is tried with one ordinary job a second, by all workers
/// together; whatever it serves ends that.
actor APIHealth {
    private let board: JobBoard
    private let governor: Governor
    private let client: Client
    private let budget: ByteBudget
    private let log: Log
    /// When the latest request was sent that was served.
    private var lastServed: ContinuousClock.Instant?
    private let question = SharedQuestion<Bool>()
    /// Since when the API is away.
    private var awaySince: ContinuousClock.Instant?

    nonisolated var unownedExecutor: UnownedSerialExecutor { ClientThread.actors }

    init(board: JobBoard, governor: Governor, client: Client, budget: ByteBudget, log: Log) {
        self.board = board
        self.governor = governor
        self.client = client
        self.budget = budget
        self.log = log
    }

    /// What an answer to a request that was sent then says of the API as a whole.
    func note(_ reply: Reply, sent: ContinuousClock.Instant) async {
        guard reply.isServed else { return }
        lastServed = max(lastServed ?? sent, sent)
        // An answer to what was sent before says nothing of now.
        if let awaySince, sent < awaySince { return }
        if case .rateLimited(let after, _) = reply {
            await governor.limited(sent: sent, after: after)
        } else {
            await board.accepted()
        }
        guard let since = awaySince else { return }
        // It was found to be away meanwhile, and the two may have reached the board in the other order.
        guard sent >= since else { return await board.loseAPI() }
        awaySince = nil
        log(.notice, .apiRestored, "the API serves again")
    }

    /// Whether the API serves others, just after what was sent then failed.
    func isAlive(afterFailure reply: Reply, sent: ContinuousClock.Instant, _ credential: Credential?) async -> Bool {
        let failed = ContinuousClock.now
        if awaySince == nil, let credential {
            let isServed = await question.value(
                ask: { await self.ask(credential) }, isOfUse: { $0.asked > ($0.value ? failed : sent) })
            if isServed { return true }
        }
        // What was given up with the worker says nothing.
        if Task.isCancelled { return false }
        // Something may have been served while the page was asked for.
        if let lastServed, lastServed > failed { return true }
        if awaySince == nil {
            awaySince = .now
            await board.loseAPI()
            log(
                .warning, .apiLost, "the API does not serve: jobs wait, uncharged, and it is tried once a second",
                [.error: LogValue(reply.summary), .hint: .string(hint(reply))])
        }
        await board.noteAPIFailure()
        return false
    }

    private func hint(_ reply: Reply) -> String {
        switch reply {
        case .transport(.tls):
            "it does not prove to be AskElephant, or speaks no TLS 1.2: see its certificate, SSL_CERT_FILE, this host's clock"
        case .transport(.dns): "its name is not found: see ASKELEPHANT_BASE_URL and this host's resolver"
        case .transport(.connect):
            "nobody listens there: see ASKELEPHANT_BASE_URL; the worker goes on by itself once it serves"
        default: "nothing to do: the worker goes on by itself once it serves"
        }
    }

    private func ask(_ credential: Credential) async -> SharedQuestion<Bool>.Answer {
        guard await board.takeTurn(isFirst: true) else { return .init(asked: .now, value: false) }
        let sent = ContinuousClock.now
        let reply = await client.probe(credential, budget: budget)
        await note(reply, sent: sent)
        return .init(asked: sent, value: reply.isServed)
    }
}

extension Reply {
    /// The API itself answered, if only with a 4xx, and not that it is in trouble.
    var isServed: Bool {
        switch self {
        // An answer that waited in vain for our own memory had begun.
        case .transport(.noMemory): true
        case .unavailable, .transport: false
        case .contract(let violation): violation.kind == .tooLarge
        default: true
        }
    }
}
