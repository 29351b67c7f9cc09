import ArgumentParser
import AskElephant
import Enrichment
import Glibc
import Postgres

/// `enrich --dry-run`: makes the requests and says what would be written. Writes to no table at all.
struct DryRun {
    /// What became of one engagement.
    struct Outcome: Sendable {
        enum End: Sendable {
            case compared(Comparison)
            /// Why it cannot be read.
            case unreadable(String)
            case credentialRefused(String)
        }

        struct Comparison: Sendable {
            /// When what is stored was observed; nil: nothing is.
            var storedAt: String?
            /// Something newer is stored: nothing would be written.
            var isSuperseded: Bool
            var difference: Difference
            var gaps: [GapChange]

            var isUnchanged: Bool { difference.isEmpty && gaps.allSatisfy { $0.change == .same } }
        }

        var id: EngagementID
        var sent: [DryRunRequests.Sent]
        var denials: [ScopeFallback.Denial]
        var end: End
    }

    let settings: Settings
    let force: Bool
    let output: OutputFormat

    func run(_ engagements: [EngagementID]) async throws {
        guard let credential = try Setup.credentials(settings).credential else {
            // As good as a refused one.
            throw Failure(.credentialRefused, "there is no credential, or none that fits a header", hint: Self.hint)
        }
        let session = try await Setup.connect(settings)
        let store = DryRunStore(session: session)
        let configuration = try Setup.worker(settings)
        let client = Client(configuration.client)
        let requests = DryRunRequests(
            client: client, credential: credential,
            budget: ByteBudget(total: settings.memoryBudget, largestBody: settings.maxDocumentBytes),
            wanted: configuration.expand, denied: try await store.denied(settings.credentialName),
            now: { try await store.clock(settings.credentialName) })
        var outcomes: [Outcome] = []
        for id in engagements {
            let outcome = try await self.outcome(id, requests, store)
            outcomes.append(outcome)
            if output == .table { writeOutput(DryRunText(style: style).text(outcome)) }
            if case .credentialRefused = outcome.end { break }
        }
        await client.shutdown()
        await session.close()
        if output == .json { print(JSONText.array(outcomes.map(\.json)).text()) }
        try end(outcomes)
    }

    private static let hint = "check ASKELEPHANT_TOKEN_FILE"

    private var style: Style {
        Style.resolve(settings.color, environment: Setup.environment, isTerminal: isatty(1) == 1)
    }

    private func end(_ outcomes: [Outcome]) throws {
        if case .credentialRefused(let why) = outcomes.last?.end {
            throw Failure(.credentialRefused, why, hint: Self.hint)
        }
        let isWhole = outcomes.allSatisfy { if case .compared = $0.end { true } else { false } }
        if !isWhole { throw ArgumentParser.ExitCode(1) }
    }

    private func outcome(
        _ id: EngagementID, _ requests: DryRunRequests, _ store: DryRunStore
    ) async throws -> Outcome {
        guard try await !PurgeStore(session: store.session).isPurged(id) else {
            return Outcome(id: id, sent: [], denials: [], end: .unreadable("it was purged, and is not stored again"))
        }
        let result = try await requests.fetch(id)
        let end: Outcome.End =
            switch result.end {
            case .document(let document, let observedAt, let readable):
                try await compare(id, document, observedAt, readable, store)
            case .unreadable(let why): .unreadable(why)
            case .credentialRefused(let why): .credentialRefused(why)
            }
        return Outcome(id: id, sent: result.sent, denials: result.denials, end: end)
    }

    private func compare(
        _ id: EngagementID, _ document: Document, _ observedAt: String, _ readable: [Expand], _ store: DryRunStore
    ) async throws -> Outcome.End {
        let wanted = settings.expand.compactMap(Expand.init)
        var document = document
        var plan = try await store.plan(
            id, document, observedAt: observedAt, readable: readable, wanted: wanted, force: force)
        if plan.refusal != nil {
            // What Postgres refuses is mended once, as the worker does.
            document.json = JSONRepair.repair(document.json).0
            plan = try await store.plan(
                id, document, observedAt: observedAt, readable: readable, wanted: wanted, force: force)
        }
        if let refusal = plan.refusal { return .unreadable("the answer is not its document (\(refusal))") }
        let (stored, fetched) = try await store.sides(id, document)
        let difference = Difference(
            stored: stored, fetched: fetched, base: plan.isNewest, accepted: plan.accepted,
            otherVersions: plan.otherVersions)
        return .compared(
            .init(
                storedAt: plan.isStored ? plan.observedAt : nil,
                isSuperseded: !plan.isNewest && plan.accepted.isEmpty, difference: difference,
                // The gaps of what is stored hold on if that is newer.
                gaps: plan.isNewest ? GapChange.between(plan.storedGaps, plan.gaps) : []))
    }
}
