import AskElephant
import Testing

@Suite(.timeLimit(.minutes(1))) struct ClientStatusTests {
    private static let body = #"{"title":"t","request_id":"rid_1"}"#
    private static let problem = Problem(title: "t", requestID: "rid_1")

    private func text(_ reply: Reply) -> String {
        switch reply {
        case .document: "document"
        case .notModified: "notModified"
        case .unauthorized: "unauthorized"
        case .forbidden: "forbidden"
        case .notFound: "notFound"
        case .gone: "gone"
        case .rateLimited(let after, _): "rateLimited \(after)"
        case .rejected(let status, _): "rejected \(status)"
        case .unavailable(let status, let after, _): "unavailable \(status) \(after.map { "\($0)" } ?? "-")"
        case .contract(let violation): "contract \(violation.kind.rawValue) \(violation.status)"
        case .transport(let failure): "transport \(failure)"
        }
    }

    @Test(arguments: [
        (200, "document"), (401, "unauthorized"), (403, "forbidden"), (404, "notFound"), (410, "gone"),
        (400, "rejected 400"), (402, "rejected 402"), (409, "rejected 409"), (422, "rejected 422"),
        (451, "rejected 451"),
        (429, "rateLimited 1.0 seconds"), (500, "unavailable 500 -"), (502, "unavailable 502 -"),
        (503, "unavailable 503 -"), (599, "unavailable 599 -"),
        (201, "contract unexpected_status 201"), (202, "contract unexpected_status 202"),
        (204, "contract unexpected_status 204"), (206, "contract unexpected_status 206"),
        (300, "contract redirect 300"), (304, "contract redirect 304"), (600, "contract unexpected_status 600"),
    ])
    func everyStatusHasItsReply(status: Int, expected: String) async throws {
        let body = status == 204 || status == 304 ? "" : Self.body
        let reply = try await reply(to: [.answer(status, body: body)])
        #expect(text(reply) == expected)
        #expect(reply.status == status)
    }

    @Test(arguments: ["application/problem+json", "application/json", "text/html"])
    func problemIsReadWhateverItsMediaType(type: String) async throws {
        let reply = try await reply(to: [.answer(403, ["Content-Type: \(type)"], body: Self.body)])
        guard case .forbidden(Self.problem) = reply else {
            Issue.record("\(reply)")
            return
        }
        #expect(reply.requestID == "rid_1")
    }

    @Test func problemWithoutABodyHasItsHeaders() async throws {
        let headers = ["X-Request-Id: rid_h", "WWW-Authenticate: Bearer scope=\"a b\"", "WWW-Authenticate: Other"]
        let reply = try await reply(to: [.answer(401, headers)])
        guard case .unauthorized(let problem) = reply else {
            Issue.record("\(reply)")
            return
        }
        #expect(problem == Problem(requestID: "rid_h", challenges: ["Bearer scope=\"a b\"", "Other"]))
    }

    @Test func statusCountsEvenIfTheProblemIsCutOffOrEndless() async throws {
        let cut = try await reply(to: [.answer(404, ["Content-Length: 999"], body: "{"), .close])
        #expect(text(cut) == "notFound")
        let slow = try await reply(to: [.answer(404, ["Content-Length: 99999"], body: "{"), .drip]) {
            $0.requestTimeout = .seconds(1)
        }
        #expect(text(slow) == "notFound")
        let long = String(repeating: " ", count: 100_000)
        #expect(
            text(try await reply(to: [.answer(500, ["Content-Length: 9999999"], body: long)])) == "unavailable 500 -")
    }

    @Test func retryAfterIsReadFor429And5xx() async throws {
        let headers = ["Date: Sun, 06 Nov 1994 08:49:37 GMT", "Retry-After: Sun, 06 Nov 1994 08:50:07 GMT"]
        #expect(text(try await reply(to: [.answer(429, headers)])) == "rateLimited 30.0 seconds")
        #expect(text(try await reply(to: [.answer(503, headers)])) == "unavailable 503 30.0 seconds")
        let twice = ["Retry-After: 2", "Retry-After: 5"]
        #expect(text(try await reply(to: [.answer(429, twice)])) == "rateLimited 5.0 seconds")
        #expect(text(try await reply(to: [.answer(503, ["Retry-After: x"])])) == "unavailable 503 1.0 seconds")
    }

    @Test(arguments: [301, 302, 303, 307, 308])
    func redirectIsNotFollowed(status: Int) async throws {
        let canary = try await RawServer([.answer(200, body: "{}")])
        for target in ["http://127.0.0.1:\(canary.port)/", "/elsewhere", "file:///etc/passwd"] {
            let server = try await RawServer([.answer(status, ["Location: \(target)", "X-Request-Id: rid_1"])])
            let client = try makeClient(server)
            let reply = await client.getEngagement(
                Sample.id, expand: [], credential: Sample.credential, budget: ByteBudget(total: 1))
            #expect(reply.violation == ContractViolation(.redirect, status: status, requestID: "rid_1"))
            #expect(server.connections == 1)
            await client.shutdown()
            try await server.stop()
        }
        #expect(canary.connections == 0)
        try await canary.stop()
    }
}
