import AskElephant
import Enrichment

/// The requests of a dry run: those that a worker would send for the engagement, one after the other.
struct DryRunRequests: Sendable {
    /// One request and how it ended.
    struct Sent: Equatable, Sendable {
        let method = "GET"
        var path: String
        /// Nil when no whole answer came; then `failure` says why.
        var status: Int?
        var failure: String?
        var requestID: String?
        var milliseconds: Int
    }

    enum End: Sendable {
        /// `readable`: the parts that the credential may read, delivered or not.
        case document(Document, observedAt: String, readable: [Expand])
        /// Why it cannot be read, for people.
        case unreadable(String)
        /// The credential is of no use; why.
        case credentialRefused(String)
    }

    struct Result: Sendable {
        var sent: [Sent] = []
        /// Parts that were found to be denied.
        var denials: [ScopeFallback.Denial] = []
        var end: End = .unreadable("no request was sent")
    }

    let client: Client
    let credential: Credential
    let budget: ByteBudget
    let wanted: [Expand]
    /// What is known to be denied, which is not asked for.
    let denied: Set<Expand>
    /// The database's clock.
    let now: @Sendable () async throws -> String

    func fetch(_ id: EngagementID) async throws -> Result {
        var result = Result()
        var fallback = ScopeFallback(Set(wanted).subtracting(denied))
        var asked = fallback.first
        var last: (document: Document, observedAt: String)?
        while true {
            let observedAt = try await now()
            let reply = await send(id, asked, &result)
            if case .document(let document) = reply {
                last?.document.reservation?.release()
                last = (document, observedAt)
            }
            switch fallback.next(reply.fallbackAnswer) {
            case .ask(let next): asked = next
            case .end(let end):
                result.denials = fallback.denials
                result.end = await self.end(end, reply, last, &result)
                return result
            }
        }
    }

    private func end(
        _ end: ScopeFallback.End, _ reply: Reply, _ last: (document: Document, observedAt: String)?,
        _ result: inout Result
    ) async -> End {
        switch end {
        case .delivered:
            guard let last else { preconditionFailure("nothing was delivered") }
            let lost = denied.union(result.denials.map(\.part))
            return .document(
                last.document, observedAt: last.observedAt, readable: wanted.filter { !lost.contains($0) })
        case .refused(saysPrivate: true): return .unreadable(Self.isPrivate)
        case .refused(saysPrivate: false): return await confirmBase(&result)
        case .other: return Self.end(reply)
        }
    }

    private static let isPrivate = "private: the credential lacks engagements:private:read"

    /// A bare 403 tells nothing until a page of engagements is asked for.
    private func confirmBase(_ result: inout Result) async -> End {
        let start = ContinuousClock.now
        let reply = await client.probe(credential, budget: budget)
        result.sent.append(Self.sent("/v2/engagements?limit=1", reply, since: start))
        switch reply {
        case .document: return .unreadable(Self.isPrivate)
        case .forbidden: return .credentialRefused("the credential lacks engagements:read")
        case .unauthorized: return Self.end(reply)
        default: return .unreadable("refused, and the API does not tell why")
        }
    }

    /// What an answer means that is no document and no refusal of parts.
    private static func end(_ reply: Reply) -> End {
        switch reply {
        case .unauthorized: .credentialRefused("the API refuses the credential")
        case .notFound, .gone: .unreadable("not found: the API does not know it, or the credential may not see it")
        case .rateLimited(let after, _): .unreadable("the API limits the rate; again in \(after / .seconds(1)) s")
        default: .unreadable("the API did not deliver it: \(reply.summary ?? "no document")")
        }
    }

    private func send(_ id: EngagementID, _ parts: Set<Expand>, _ result: inout Result) async -> Reply {
        let expand = Expand.allCases.filter(parts.contains)
        let query = expand.isEmpty ? "" : "?expand=" + expand.map(\.rawValue).joined(separator: ",")
        let start = ContinuousClock.now
        let reply = await client.getEngagement(id, expand: expand, credential: credential, budget: budget)
        result.sent.append(Self.sent("/v2/engagements/\(id.rawValue)\(query)", reply, since: start))
        return reply
    }

    private static func sent(_ path: String, _ reply: Reply, since start: ContinuousClock.Instant) -> Sent {
        Sent(
            path: path, status: reply.status, failure: reply.status == nil ? reply.summary : nil,
            requestID: reply.requestID, milliseconds: Int((ContinuousClock.now - start) / .milliseconds(1)))
    }
}
