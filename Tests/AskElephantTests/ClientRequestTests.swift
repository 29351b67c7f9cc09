import AskElephant
import Testing

@Suite(.timeLimit(.minutes(1))) struct ClientRequestTests {
    private func requestHead(expand: [Expand] = [], credential: String = "sk-apik_1.test") async throws -> [String] {
        let server = try await RawServer([.answer(200, body: "{}")])
        let client = try makeClient(server)
        let credential = try #require(Credential(Secret(credential)))
        let reply = await client.getEngagement(
            Sample.id, expand: expand, credential: credential, budget: ByteBudget(total: 1))
        #expect(reply.document != nil)
        await client.shutdown()
        try await server.stop()
        let head = try #require(await server.requests.first { _ in true })
        return head.split(separator: "\r\n").map(String.init)
    }

    @Test func pathAndHeadersAreAsDocumented() async throws {
        let head = try await requestHead()
        #expect(head.first == "GET /api/v2/engagements/\(Sample.id) HTTP/1.1")
        let lower = head.map { $0.lowercased() }
        #expect(lower.contains("authorization: sk-apik_1.test"))
        #expect(lower.contains("accept: application/json"))
        #expect(lower.contains("user-agent: test/1"))
        #expect(lower.contains("accept-encoding: identity"))
    }

    @Test func tokenIsSentAsBearer() async throws {
        let head = try await requestHead(credential: "eyJx")
        #expect(head.contains("Authorization: Bearer eyJx"))
    }

    @Test func expandIsOneListInFixedOrderWithLiteralCommas() async throws {
        let head = try await requestHead(expand: [.tags, .companies, .transcript, .tags])
        #expect(head.first == "GET /api/v2/engagements/\(Sample.id)?expand=companies,transcript,tags HTTP/1.1")
    }

    /// Then a 304 is an answer; to who named none it is a redirect like any other.
    @Test func aTagIsNamedAsItCame() async throws {
        let server = try await RawServer([.answer(304, ["X-Request-Id: rid_304"])])
        let client = try makeClient(server)
        let reservation = try await ByteBudget(total: 1 << 20).reserve()
        let reply = await client.getEngagement(
            Sample.id, expand: [.tags], credential: Sample.credential, reservation: reservation, etag: #"W/"a-1""#)
        guard case .notModified(requestID: "rid_304") = reply else {
            Issue.record("\(reply)")
            return
        }
        await client.shutdown()
        try await server.stop()
        let head = try #require(await server.requests.first { _ in true })
        #expect(head.split(separator: "\r\n").contains(#"If-None-Match: W/"a-1""#))
    }

    @Test func connectionIsUsedAgain() async throws {
        let server = try await RawServer([.answer(200, body: "{}")])
        let client = try makeClient(server)
        let budget = ByteBudget(total: 1 << 20)
        for _ in 0..<5 {
            let reply = await client.getEngagement(
                Sample.id, expand: [], credential: Sample.credential, budget: budget)
            #expect(reply.document != nil)
        }
        #expect(server.connections == 1)
        await client.shutdown()
        try await server.stop()
    }
}
