import AsyncHTTPClient
import FoundationEssentials
import NIOCore
import NIOHTTP1

/// AskElephant's API. Every request ends as a ``Reply``, nothing throws. The credential goes to the configured host
/// only, and redirects are not followed.
package final class Client: Sendable {
    private let http: HTTPClient
    private let configuration: Configuration

    package init(_ configuration: Configuration) {
        self.configuration = configuration
        http = HTTPClient(eventLoopGroupProvider: .singleton, configuration: .init(configuration))
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
    package func getEngagement(
        _ id: EngagementID, expand: [Expand], credential: Credential, reservation: Reservation
    ) async -> Reply {
        let query = expand.queryValue.map { "?expand=" + $0 } ?? ""
        let request = request("/v2/engagements/" + id.rawValue + query, credential)
        let reply = await send(request, reservation)
        if case .document = reply { return reply }
        reservation.shrink(to: ByteBudget.entryBytes)
        return reply
    }

    /// Asks for a page of one engagement, which says whether the credential is accepted and has `engagements:read`: a 403
    /// for an engagement alone may also mean that this one is private. The page itself is thrown away.
    package func probe(_ credential: Credential, budget: ByteBudget) async -> Reply {
        guard let reservation = try? await budget.reserve() else { return .transport(.cancelled) }
        let reply = await send(request("/v2/engagements?limit=1", credential), reservation)
        reservation.release()
        return reply
    }

    /// Ends what is running as `.transport(.cancelled)` and closes the connections. Call it once, at the end.
    package func shutdown() async {
        // The only error is a second shutdown.
        try? await http.shutdown()
    }

    private func request(_ pathAndQuery: String, _ credential: Credential) -> HTTPClientRequest {
        var request = HTTPClientRequest(url: configuration.baseURL.description + pathAndQuery)
        request.headers = [
            "Authorization": credential.authorizationHeader,
            "Accept": "application/json",
            "User-Agent": configuration.userAgent,
            // Unpacking multiplies what arrives by up to a thousand before anybody can count it.
            "Accept-Encoding": "identity",
        ]
        return request
    }

    /// The library's own deadline ends at the head of the answer, so ours lies around head and body.
    private func send(_ request: HTTPClientRequest, _ reservation: Reservation) async -> Reply {
        let deadline = NIODeadline.now() + TimeAmount(configuration.requestTimeout)
        let reply = await withDeadline(deadline, on: http.eventLoopGroup.any()) { [http, configuration] in
            let response: HTTPClientResponse
            do {
                response = try await http.execute(request, deadline: deadline)
            } catch {
                return Reply.transport(TransportFailure(error))
            }
            let head = AnswerHead(status: Int(response.status.code), headers: response.headers)
            let reader = AnswerReader(
                head: head, body: response.body, maxBodyBytes: configuration.maxBodyBytes, reservation: reservation)
            return await reader.reply(now: Int64(Date().timeIntervalSince1970))
        }
        return Self.withCause(reply, isLate: NIODeadline.now() >= deadline)
    }

    /// The work ends in the same way whoever cancelled it; the caller's own cancellation counts before the deadline.
    private static func withCause(_ reply: Reply, isLate: Bool) -> Reply {
        switch reply {
        case .transport(.noMemory) where Task.isCancelled: .transport(.cancelled)
        case .transport(.cancelled) where !Task.isCancelled && isLate: .transport(.timeout)
        default: reply
        }
    }
}
