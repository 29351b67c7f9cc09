package import AskElephant

/// Walks through the API's list of engagements, in turn with the jobs of the credential's workers.
package struct ListWalker: Sendable {
    /// Why a walk did not come to its end.
    package enum Obstacle: Error, Sendable {
        /// Another process is on it.
        case taken
        /// The credential is refused, or lacks `engagements:read`.
        case credential
        /// The API does not take what it is asked for.
        case rejected(status: Int)
        /// What comes is no page.
        case contract
        /// The list does not go on.
        case stuck(at: String?)
        case stopped

        package var text: String {
            switch self {
            case .taken: "another process is on this walk"
            case .credential: "the API refuses the credential, or it lacks engagements:read"
            case .rejected(let status): "the API does not take what it is asked for: HTTP \(status)"
            case .contract: "the API answers with something that is no page of engagements"
            case .stuck(let time): "the list does not go on\(time.map { " at \($0)" } ?? ""): its cursors lead nowhere"
            case .stopped: "stopped"
            }
        }

        /// What to do next; nil where there is nothing to be done.
        package var hint: String? {
            switch self {
            case .taken: "wait for it; it is over at most 2 minutes after it dies"
            case .credential: "check ASKELEPHANT_TOKEN_FILE"
            case .rejected, .contract:
                "check ASKELEPHANT_BASE_URL; if it is AskElephant's, the API has changed: report it"
            case .stuck: "begin behind it: engagement-worker backfill --since TIME"
            case .stopped: nil
            }
        }
    }

    private static let longestPause: Duration = .seconds(60)

    let board: JobBoard
    let client: Client
    let credentials: CredentialKeeper
    let health: APIHealth
    let budget: ByteBudget

    /// Asks for pages until the walk has ended.
    ///
    /// - Parameters:
    ///   - take: what becomes of a page, as far as it was not on the one before. The walk goes on once it returns.
    ///   - waits: is told before each pause for the sake of the API.
    func run(
        _ start: ListWalk,
        take: (_ new: [EngagementPage.Entry], _ checkpoint: UpdateTime?, _ isLast: Bool) async throws -> Void,
        waits: () async -> Void
    ) async throws {
        var walk = start
        var next = walk.next
        var failures = 0
        while true {
            let list: EngagementList
            switch next {
            case .ask(let asked): list = asked
            case .finished: return
            case .stuck(let time): throw Obstacle.stuck(at: time?.text)
            }
            switch try await ask(list) {
            case .page(let page):
                failures = 0
                let (new, after) = walk.took(page)
                next = after
                try await take(new, walk.checkpoint, next == .finished)
            case .rejected(let status):
                guard let again = walk.cursorRefused() else { throw Obstacle.rejected(status: status) }
                next = again
            case .failed:
                failures += 1
                await waits()
                try await Task.sleep(for: min(Self.longestPause, .milliseconds(500 << min(failures, 7))))
            }
        }
    }

    private enum Answer {
        case page(EngagementPage)
        case rejected(status: Int)
        /// Asking again may help.
        case failed
    }

    private func ask(_ list: EngagementList) async throws -> Answer {
        guard await board.takeTurnBehindJobs() else {
            throw await credentials.trouble == nil ? Obstacle.stopped : Obstacle.credential
        }
        guard let credential = await credentials.usable else { throw Obstacle.credential }
        let sent = ContinuousClock.now
        let reply = await client.list(list, credential: credential, budget: budget)
        await health.note(reply, sent: sent)
        switch reply {
        case .document(let document):
            defer { document.reservation?.release() }
            guard let page = EngagementPage(document.json) else { throw Obstacle.contract }
            return .page(page)
        case .unauthorized(let problem):
            guard await credentials.refused(credential, requestID: problem.requestID) == .isReplaced else {
                throw Obstacle.credential
            }
            return .failed
        case .forbidden:
            guard await credentials.confirmBase(after: sent) == .readable else { throw Obstacle.credential }
            return .rejected(status: 403)
        case .notFound, .gone: return .rejected(status: reply.status ?? 0)
        case .rejected(let status, _): return .rejected(status: status)
        case .contract: throw Obstacle.contract
        case .rateLimited, .unavailable, .transport, .notModified:
            if Task.isCancelled { throw Obstacle.stopped }
            return .failed
        }
    }
}
