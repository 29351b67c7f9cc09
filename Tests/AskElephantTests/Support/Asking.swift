import AskElephant

/// What a test asks for when it does not matter.
enum Sample {
    static let id = EngagementID("ngmt_01JZ0A1B2C3D4E5F6G7H8J9K0M")!
    static let credential = Credential(Secret("sk-apik_1.test"))!
}

/// A client for the server, small in every respect.
func makeClient(
    _ server: RawServer, scheme: String = "http", _ change: (inout Client.Configuration) -> Void = { _ in }
) throws -> Client {
    let baseURL = try BaseURL("\(scheme)://127.0.0.1:\(server.port)/api")
    var configuration = Client.Configuration(baseURL: baseURL, userAgent: "test/1")
    configuration.concurrency = 2
    change(&configuration)
    return Client(configuration)
}

/// The reply to one request, after which everything is closed.
func reply(
    to steps: [RawServer.Step],
    expand: [Expand] = [],
    credential: Credential = Sample.credential,
    budget: ByteBudget = ByteBudget(total: 1 << 20),
    _ change: (inout Client.Configuration) -> Void = { _ in }
) async throws -> Reply {
    let server = try await RawServer(steps)
    let client = try makeClient(server, change)
    let reply = await client.getEngagement(Sample.id, expand: expand, credential: credential, budget: budget)
    await client.shutdown()
    try await server.stop()
    return reply
}

extension ByteBudget {
    convenience init(total: Int) {
        self.init(total: total, largestBody: Client.Configuration.defaultMaxBodyBytes)
    }
}

extension Reply {
    var document: Document? {
        if case .document(let document) = self { return document }
        return nil
    }

    var failure: TransportFailure? {
        if case .transport(let failure) = self { return failure }
        return nil
    }

    var violation: ContractViolation? {
        if case .contract(let violation) = self { return violation }
        return nil
    }
}
