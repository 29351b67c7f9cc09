/// Answers one request from a snapshot of the world. Pure, but for the date in a `Retry-After`.
struct Endpoint: Sendable {
    let access: Access
    let switches: Switches
    let generator: Generator
    /// Counts all requests from 1; makes request ids and media signatures differ.
    let requestNumber: Int

    /// - Parameters:
    ///   - state: of the engagement that the route names.
    ///   - page: finds a page of the list, one entry more than its limit if there are more.
    func answer(
        _ request: SimRequest, _ route: Route, state: EngagementState,
        page: (ListQuery, Bool) -> [ListEntry]
    ) -> SimResponse {
        do throws(Refusal) {
            guard request.method == "GET" else { throw Refusal(.methodNotAllowed) }
            guard route.resource != .unknown else { throw Refusal(.notFound) }
            guard let scopes = access.scopes(authorization: request.authorization) else {
                throw Refusal(.unauthorized(request.authorization, switches.challenge))
            }
            guard let id = route.engagementID else { return try list(route, scopes, page) }
            return try engagement(id, request, route, scopes, state)
        } catch {
            return response(error.problem)
        }
    }

    func response(_ problem: Problem) -> SimResponse {
        let hash = SplitMix64.mixed(generator.seed &+ UInt64(requestNumber) &* 0x9E37_79B9_7F4A_7C15)
        return problem.response(requestID: Identifier.make("rid_", hash), switches)
    }

    // MARK: One engagement

    private func engagement(
        _ id: String, _ request: SimRequest, _ route: Route, _ scopes: Set<String>,
        _ state: EngagementState
    ) throws(Refusal) -> SimResponse {
        try checkID(id)
        try checkExpands(route)
        let needs = Needs(
            scopes, route.parts, isPrivate: state.isPrivate && state.existence == .present, switches)
        if needs.hasBase {
            switch state.existence {
            case .missing: throw Refusal(.notFound)
            case .gone: throw Refusal(.gone)
            case .present: break
            }
        }
        let parts = try needs.deliverable()
        return document(generator.engagement(id, state), parts, ifNoneMatch: request.ifNoneMatch)
    }

    private func document(_ truth: SimEngagement, _ parts: SimParts, ifNoneMatch: String?)
        -> SimResponse
    {
        let (json, digest) = render(truth, parts)
        let tag = tag(digest, parts)
        let headers = [("Content-Type", "application/json"), ("ETag", tag)] + switches.apiVersion.header
        if switches.conditionalGet == .honoured, ifNoneMatch == tag {
            return SimResponse(status: 304, headers: Array(headers.dropFirst()))
        }
        return SimResponse(status: 200, headers: headers, body: Array(json.utf8))
    }

    private func render(_ truth: SimEngagement, _ parts: SimParts) -> (json: String, digest: UInt64) {
        Renderer(shape: Shape(generator.draws(truth.id), switches))
            .document(truth, parts: parts, mediaSignature: UInt64(requestNumber))
    }

    private func tag(_ digest: UInt64, _ parts: SimParts) -> String {
        let isFresh = switches.conditionalGet == .tagPerResponse && parts.contains(.mediaURL)
        let value = String(isFresh ? digest &+ UInt64(requestNumber) : digest, radix: 16)
        return switches.conditionalGet == .weakTags ? "W/\"\(value)\"" : "\"\(value)\""
    }

    // MARK: The list

    private func list(
        _ route: Route, _ scopes: Set<String>, _ page: (ListQuery, Bool) -> [ListEntry]
    ) throws(Refusal) -> SimResponse {
        try checkExpands(route)
        let needs = Needs(scopes, route.parts, isPrivate: false, switches)
        let parts = try needs.deliverable()
        let query = try ListQuery(route, switches)
        let found = page(query, needs.opensPrivate)
        let entries = found.prefix(query.limit)
        var writer = JSONWriter(capacity: 1_024 * entries.count)
        writer.object { writer in
            writer.member("object", "list")
            writer.list("data", Array(entries)) { writer, entry in
                writer.raw(render(generator.engagement(entry.id, entry.state), parts).json)
            }
            writer.member("has_more", found.count > query.limit)
            writer.key("next_cursor")
            if found.count > query.limit, let last = entries.last {
                writer.string(query.cursor(after: last))
            } else {
                writer.null()
            }
        }
        let headers = [("Content-Type", "application/json")] + switches.apiVersion.header
        return SimResponse(status: 200, headers: headers, body: Array(writer.text.utf8))
    }
}

/// Why a request is not served.
struct Refusal: Error {
    let problem: Problem

    init(_ problem: Problem) {
        self.problem = problem
    }
}
