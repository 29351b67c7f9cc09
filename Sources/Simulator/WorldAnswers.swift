import Synchronization

/// From a request to its answer, and the journal of both.
extension World {
    /// Notes the request, answers it from the world of this moment, and returns when the answer may be sent.
    ///
    /// - Throws: `CancellationError` while held or delayed.
    package func answer(_ request: SimRequest) async throws -> SimResponse {
        let route = Route(request.target)
        let arrival = change { $0.arrived(route) }
        let response = arrival.answer(request, route, page: page)
        if arrival.latency > .zero { try await Task.sleep(for: arrival.latency) }
        if let id = route.engagementID { try await waitUntilReleased(id) }
        // Before it is sent, so that whoever has the answer finds it in the journal.
        state.withLock { $0.journal.answered(arrival.endpoint.requestNumber, response.status) }
        return response
    }

    private func page(_ query: ListQuery, includesPrivate: Bool) -> [ListEntry] {
        state.withLock { state in
            let generator = state.generator
            return state.currentListing().page(query) { id in
                let engagement = state[id]
                return engagement.existence == .present && (includesPrivate || !engagement.isPrivate)
            }.map { id in
                let engagement = state[id]
                let time = generator.updatedAt(id, version: engagement.version)
                return ListEntry(updatedAt: time, id: id, state: engagement)
            }
        }
    }

    // MARK: The journal

    /// Of this id, in order of arrival.
    package func requests(for id: String) -> [JournalEntry] {
        requests.filter { $0.id == id }
    }

    package var requests: [JournalEntry] {
        state.withLock { $0.journal.entries }
    }

    package func requestCount(for id: String) -> Int {
        state.withLock { $0.journal.count(id) }
    }

    /// Since the world began.
    package var totalRequests: Int {
        state.withLock { $0.journal.total }
    }

    /// Forgets the entries and the counts of ids; the total goes on.
    package func clearJournal() {
        state.withLock { $0.journal.clear() }
    }
}

/// All that an answer depends on, as of the request's arrival.
private struct Arrival: Sendable {
    let endpoint: Endpoint
    let state: EngagementState
    let override: Override.Answer?
    let isLimited: Bool
    let latency: Duration

    func answer(
        _ request: SimRequest, _ route: Route, page: (ListQuery, Bool) -> [ListEntry]
    ) -> SimResponse {
        if case .response(let response) = override { return response }
        var fault = endpoint.switches.fault
        if case .fault(let set) = override { fault = set }
        return endpoint.response(fault) {
            if isLimited {
                return endpoint.response(.rateLimited(endpoint.switches.retryAfter, seconds: 1))
            }
            return endpoint.answer(request, route, state: state, page: page)
        }
    }
}

extension World.State {
    fileprivate mutating func arrived(_ route: Route) -> Arrival {
        let id = route.engagementID
        let number = journal.arrived(route.resource, route.parts)
        return Arrival(
            endpoint: Endpoint(
                access: access, switches: switches, generator: generator, requestNumber: number),
            state: id.map { self[$0] } ?? EngagementState(),
            override: takeOverride(id),
            isLimited: !rate.allowsOneMore(),
            latency: id.flatMap { latencies[$0] } ?? latency
        )
    }

    private mutating func takeOverride(_ id: String?) -> Override.Answer? {
        if let id, let answer = overrides[id]?.take() { return answer }
        return overrideOfAll?.take()
    }

    fileprivate mutating func currentListing() -> Listing {
        if let listing { return listing }
        let generator = generator
        let made = Listing(
            registered.map { id in
                let time = generator.updatedAt(id, version: self[id].version)
                return ListKey(milliseconds: time.milliseconds, id: id)
            }
        )
        listing = made
        return made
    }
}
