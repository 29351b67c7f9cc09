import AsyncHTTPClient
import NIOCore
import NIOHTTP1

/// AskElephant's API. Every request ends as a ``Reply``, nothing throws. The credential goes to the configured host
/// only, and redirects are not followed.
package actor Client {
    private let http: HTTPClient
    private let configuration: Configuration

    package nonisolated var unownedExecutor: UnownedSerialExecutor { ClientThread.actors }

    package init(_ configuration: Configuration) {
        self.configuration = configuration
        http = HTTPClient(eventLoopGroupProvider: .shared(ClientThread.eventLoop), configuration: .init(configuration))
    }

    /// Reserves memory, then asks for one engagement, `GET /v2/engagements/{id}` (contract section 4).
    ///
    /// Cancelling the calling task ends the request with `.transport(.cancelled)`.
    package func getEngagement(
        _ id: EngagementID, expand: [Expand], credential: Credential, budget: ByteBudget
    ) async -> Reply {
        guard let reservation = try? await budget.reserve() else { return .transport(.cancelled) }
        return await getEngagement(id, expand: expand, credential: credential, reservation: reservation)
    }

    /// Asks at once, with memory that the caller has reserved: for whoever reads a clock between the wait and the
    /// request. A document takes the reservation with it. After any other reply it is what it was, and can be used for
    /// the next request.
    ///
    /// - Parameter etag: of an answer with the same parts: the reply is `.notModified` if it still holds (contract section 6).
    package func getEngagement(
        _ id: EngagementID, expand: [Expand], credential: Credential, reservation: Reservation, etag: String? = nil
    ) async -> Reply {
        let query = expand.queryValue.map { "?expand=" + $0 } ?? ""
        let reply = await send("/v2/engagements/" + id.rawValue + query, credential, reservation, etag)
        if case .document = reply { return reply }
        reservation.shrink(to: ByteBudget.entryBytes)
        return reply
    }

    /// Asks for a page of one engagement, which says whether the credential is accepted and has `engagements:read`: a 403
    /// for an engagement alone may also mean that this one is private. The page itself is thrown away.
    package func probe(_ credential: Credential, budget: ByteBudget) async -> Reply {
        guard let reservation = try? await budget.reserve() else { return .transport(.cancelled) }
        let reply = await send("/v2/engagements?limit=1", credential, reservation)
        reservation.release()
        return reply
    }

    /// Asks for a page of the list (contract section 10), without any part.
    package func list(_ list: EngagementList, credential: Credential, budget: ByteBudget) async -> Reply {
        guard let reservation = try? await budget.reserve() else { return .transport(.cancelled) }
        let reply = await send(list.pathAndQuery, credential, reservation)
        if case .document = reply { return reply }
        reservation.release()
        return reply
    }

    /// Ends what is running as `.transport(.cancelled)` and closes the connections. Call it once, at the end.
    package func shutdown() async {
        // The only error is a second shutdown.
        try? await http.shutdown()
    }

    private func request(
        _ pathAndQuery: String, _ credential: Credential, _ etag: String?
    ) throws -> HTTPClient.Request {
        var request = try HTTPClient.Request(
            url: configuration.baseURL.description + pathAndQuery,
            headers: [
                "Authorization": credential.authorizationHeader,
                "Accept": "application/json",
                "User-Agent": configuration.userAgent,
                // Unpacking multiplies what arrives by up to a thousand before anybody can count it.
                "Accept-Encoding": "identity",
            ])
        if let etag { request.headers.add(name: "If-None-Match", value: etag) }
        return request
    }

    private func send(
        _ pathAndQuery: String, _ credential: Credential, _ reservation: Reservation, _ etag: String? = nil
    ) async -> Reply {
        if Task.isCancelled { return .transport(.cancelled) }
        let deadline = NIODeadline.now() + TimeAmount(configuration.requestTimeout)
        let reader = AnswerReader(
            maxBodyBytes: configuration.maxBodyBytes, reservation: reservation,
            isConditional: etag != nil, deadline: deadline)
        do {
            let running = http.execute(
                request: try request(pathAndQuery, credential, etag), delegate: reader,
                eventLoop: .delegate(on: ClientThread.eventLoop), deadline: deadline)
            try await withTaskCancellationHandler {
                try await withCheckedThrowingContinuation { continuation in
                    running.futureResult.whenComplete { continuation.resume(with: $0) }
                }
            } onCancel: {
                running.cancel()
                ClientThread.eventLoop.execute { reader.stopWaiting() }
            }
        } catch {
            return await reader.reply(after: error)
        }
        // What takes long to look through would keep all others waiting.
        let isLarge = reader.size > ByteBudget.entryBytes
        let reply = isLarge ? await Task.detached { reader.reply() }.value : reader.reply()
        guard case .document(let document) = reply else { return reply }
        if document.byteCount > reader.reserved {
            let isReserved = await withDeadline(deadline, on: ClientThread.eventLoop) {
                (try? await reservation.grow(to: document.byteCount)) != nil
            }
            guard isReserved else { return .transport(Task.isCancelled ? .cancelled : .noMemory) }
        }
        reservation.shrink(to: document.byteCount)
        return reply
    }
}
