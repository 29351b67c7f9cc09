import NIOCore
import Testing

@testable import AskElephant

@Suite(.timeLimit(.minutes(1))) struct ClientFailureTests {
    @Test func deadlineCoversHeadAndBody() async throws {
        let change: (inout Client.Configuration) -> Void = { $0.requestTimeout = .milliseconds(300) }
        #expect(try await reply(to: [], change).failure == .timeout)
        let stalled = RawServer.Step.answer(200, ["Content-Length: 100"], body: "{")
        #expect(try await reply(to: [stalled], change).failure == .timeout)
        #expect(
            try await reply(to: [.answer(200, ["Content-Length: 100000"], body: "{"), .drip], change).failure
                == .timeout)
    }

    @Test(arguments: [[], [RawServer.Step.answer(200, ["Content-Length: 9"], body: "{"), .drip]])
    func cancellingTheTaskEndsTheRequest(steps: [RawServer.Step]) async throws {
        let server = try await RawServer(steps)
        let client = try makeClient(server)
        let budget = ByteBudget(total: 1 << 20)
        let task = Task {
            await client.getEngagement(Sample.id, expand: [], credential: Sample.credential, budget: budget)
        }
        _ = await server.requests.first { _ in true }
        task.cancel()
        #expect(await task.value.failure == .cancelled)
        #expect(budget.reservedBytes == 0)
        await client.shutdown()
        try await server.stop()
    }

    @Test func cancelledTaskSendsNothing() async throws {
        let server = try await RawServer([.answer(200, body: "{}")])
        let client = try makeClient(server)
        let task = Task {
            withUnsafeCurrentTask { $0?.cancel() }
            return await client.getEngagement(
                Sample.id, expand: [], credential: Sample.credential, budget: ByteBudget(total: 1))
        }
        #expect(await task.value.failure == .cancelled)
        #expect(server.connections == 0)
        await client.shutdown()
        try await server.stop()
    }

    @Test func shutdownEndsARunningRequest() async throws {
        let server = try await RawServer([])
        let client = try makeClient(server)
        let task = Task {
            await client.getEngagement(
                Sample.id, expand: [], credential: Sample.credential, budget: ByteBudget(total: 1))
        }
        _ = await server.requests.first { _ in true }
        await client.shutdown()
        #expect(await task.value.failure == .cancelled)
        try await server.stop()
    }

    /// Another body has taken more than the budget, so a body that outgrows its own reservation waits.
    private func replyWhileMemoryIsShort(
        timeout: Duration, bytes: Int = 400_000,
        _ whileWaiting: ((ByteBudget, _ other: Reservation) async -> Void)? = nil
    ) async throws -> Reply {
        let body = Array("{\"a\":\"".utf8) + [UInt8](repeating: 0x61, count: bytes) + Array("\"}".utf8)
        let server = try await RawServer([.answer(200, body: body)])
        let client = try makeClient(server) { $0.requestTimeout = timeout }
        let budget = ByteBudget(total: 2 * ByteBudget.entryBytes)
        let other = try await budget.reserve()
        let own = try await budget.reserve()
        try await other.grow(to: 3 * ByteBudget.entryBytes)
        async let reply = client.getEngagement(
            Sample.id, expand: [], credential: Sample.credential, reservation: own)
        if let whileWaiting {
            await budget.waitUntil(waiting: 1)
            await whileWaiting(budget, other)
        }
        let result = await reply
        await client.shutdown()
        try await server.stop()
        #expect(budget.waiting == 0)
        return result
    }

    @Test func bodyWaitsForMemory() async throws {
        let reply = try await replyWhileMemoryIsShort(timeout: .seconds(30)) { $1.release() }
        #expect(reply.document?.json.count == 400_008)
    }

    /// Of the shorter one the end is here before there is memory for it.
    @Test(arguments: [265_000, 400_000])
    func waitForMemoryUntilTheDeadlineBlamesNobodyElse(bytes: Int) async throws {
        let reply = try await replyWhileMemoryIsShort(timeout: .seconds(3), bytes: bytes)
        #expect(reply.failure == .noMemory)
    }

    @Test(arguments: [265_000, 400_000])
    func cancellingTheTaskEndsTheWaitForMemory(bytes: Int) async throws {
        let server = try await RawServer([.answer(200, body: Array("{".utf8) + [UInt8](repeating: 0x20, count: bytes))])
        let client = try makeClient(server)
        let budget = ByteBudget(total: 2 * ByteBudget.entryBytes)
        let (other, own) = (try await budget.reserve(), try await budget.reserve())
        try await other.grow(to: 3 * ByteBudget.entryBytes)
        let task = Task {
            await client.getEngagement(Sample.id, expand: [], credential: Sample.credential, reservation: own)
        }
        await budget.waitUntil(waiting: 1)
        task.cancel()
        #expect(await task.value.failure == .cancelled)
        #expect(budget.waiting == 0)
        await client.shutdown()
        try await server.stop()
    }

    @Test func refusedConnectionAndPlainTextOnATLSPortAreNamed() async throws {
        let server = try await RawServer([.answer(200, body: "{}")])
        let change: (inout Client.Configuration) -> Void = { $0.connectTimeout = .seconds(2) }
        let overTLS = try makeClient(server, scheme: "https", change)
        let budget = ByteBudget(total: 1 << 20)
        let plain = await overTLS.getEngagement(
            Sample.id, expand: [], credential: Sample.credential, budget: budget)
        #expect(plain.failure == .tls)
        await overTLS.shutdown()
        try await server.stop()

        let nobody = try makeClient(server, change)
        let refused = await nobody.getEngagement(
            Sample.id, expand: [], credential: Sample.credential, budget: budget)
        #expect(refused.failure == .connect)
        await nobody.shutdown()
    }

    @Test func unknownHostIsADNSFailureAndAnUnknownErrorIsNamedByItsType() {
        struct Strange: Error { let token = "hunter2" }
        #expect(TransportFailure(SocketAddressError.unknown(host: "h", port: 1)) == .dns)
        #expect(TransportFailure(Strange()) == .other("Strange"))
        #expect(TransportFailure(CancellationError()) == .cancelled)
        #expect(TransportFailure(ChannelError.connectTimeout(.seconds(1))) == .connect)
        #expect(TransportFailure(ChannelError.eof) == .reset)
    }

    @Test func manyRequestsShareASmallBudget() async throws {
        let body = Array("{\"a\":\"".utf8) + [UInt8](repeating: 0x61, count: 600_000) + Array("\"}".utf8)
        let server = try await RawServer([.answer(200, body: body)])
        let client = try makeClient(server) { $0.concurrency = 16 }
        let budget = ByteBudget(total: 4 * ByteBudget.entryBytes)
        let whole = await withTaskGroup(of: Bool.self) { group in
            for _ in 0..<60 {
                group.addTask {
                    let reply = await client.getEngagement(
                        Sample.id, expand: [], credential: Sample.credential, budget: budget)
                    defer { reply.document?.reservation?.release() }
                    return reply.document?.json == body
                }
            }
            return await group.reduce(0) { $0 + ($1 ? 1 : 0) }
        }
        #expect(whole == 60)
        #expect(budget.reservedBytes == 0)
        await client.shutdown()
        try await server.stop()
    }
}
