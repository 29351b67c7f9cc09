import AskElephant
import Enrichment

/// What only the API knows: whether it is there, takes the credential, and what that may read. Up to 14 requests.
struct APIChecks {
    let settings: Settings
    /// Takes each finding as soon as it is there.
    let add: (Finding) -> Void

    func run() async throws {
        guard let credential = try? Setup.credentials(settings).credential else {
            return add(.skipped("API", "not asked, since there is no credential"))
        }
        let configuration: Worker.Configuration
        do { configuration = try Setup.worker(settings) } catch { return add(.failure("API", Failure(error))) }
        let client = Client(configuration.client)
        let budget = ByteBudget(total: settings.memoryBudget, largestBody: settings.maxDocumentBytes)
        let start = ContinuousClock.now
        let reply = await client.list(EngagementList(), credential: credential, budget: budget)
        let time = Wording.milliseconds(ContinuousClock.now - start)
        let found = Self.finding(of: reply, from: settings.baseURL, after: time)
        add(found)
        if found.mark == .ok {
            if case .document(let page) = reply, let id = EngagementPage(page.json)?.entries.first?.id {
                let requests = DryRunRequests(
                    client: client, credential: credential, budget: budget, wanted: configuration.expand, denied: [],
                    now: { "" })
                for finding in Self.findings(of: try await requests.fetch(id), wanted: configuration.expand, id) {
                    add(finding)
                }
            } else {
                add(.skipped("scopes", "the API lists no engagement to try them with"))
            }
        }
        await client.shutdown()
    }

    /// Of the list of engagements.
    static func finding(of reply: Reply, from address: String, after time: String) -> Finding {
        switch reply {
        case .document: .ok("API", "\(address) answers after \(time) and takes the credential")
        case .unauthorized(let problem):
            .failure(
                "API", "\(address) refuses the credential (401\(request(problem.requestID)))",
                next:
                    "put a valid key into ASKELEPHANT_TOKEN_FILE or ASKELEPHANT_TOKEN; Settings, API keys in AskElephant shows them"
            )
        case .forbidden(let problem):
            .failure(
                "API", "the credential lacks engagements:read (403\(request(problem.requestID)))",
                next: "grant engagements:read to the key in AskElephant: without it nothing can be read")
        case .rateLimited(let after, _):
            .warning(
                "API", "\(address) limits the rate (429)",
                next: "wait \(Wording.seconds(after / .seconds(1))); workers do so by themselves")
        // run waits until it is over.
        case .unavailable, .transport(.timeout), .transport(.reset):
            .warning(
                "API", "\(address) does not serve at the moment: \(reply.summary ?? "no answer")",
                next: "run this again; run waits for it by itself")
        case .transport(let failure):
            .failure("API", "\(address) is not reached: \(failure.words)", next: failure.remedy(address))
        default:
            .failure(
                "API", "\(address) does not answer as it should: \(reply.summary ?? "no document")",
                next: "check ASKELEPHANT_BASE_URL; curl -i \(address)/v2/engagements?limit=1")
        }
    }

    private static func request(_ id: String?) -> String { id.map { ", request \($0)" } ?? "" }

    /// Of one engagement: each part by itself.
    static func findings(of result: DryRunRequests.Result, wanted: [Expand], _ id: EngagementID) -> [Finding] {
        switch result.end {
        case .document:
            let denied = result.denials.map(\.part)
            let readable = wanted.filter { !denied.contains($0) }.map(\.rawValue)
            var findings = result.denials.map { denial in
                Finding.warning(
                    "scopes", "\(denial.part.rawValue) cannot be read: everything else is",
                    next: denial.part.scope.map { "grant \($0.rawValue) to the key; the part then fills in by itself" }
                        ?? "no scope is documented for it: ask AskElephant about request \(denial.requestID ?? "without id")"
                )
            }
            if !readable.isEmpty {
                findings.insert(.ok("scopes", "readable: \(readable.joined(separator: ", "))"), at: 0)
            }
            return findings
        case .unreadable(let why): return [.skipped("scopes", "not known: \(id.rawValue) is \(why)")]
        case .credentialRefused(let why):
            return [.failure("scopes", why, next: "grant it to the key in AskElephant")]
        }
    }
}

extension TransportFailure {
    var words: String {
        switch self {
        case .dns: "its name is not known"
        case .connect: "nobody listens there"
        case .tls: "its certificate or TLS version is not accepted"
        case .timeout: "no answer within --request-timeout"
        case .reset: "the connection breaks"
        case .cancelled: "cancelled"
        case .noMemory: "there is no memory for its answer"
        case .other(let name): name
        }
    }

    fileprivate func remedy(_ address: String) -> String {
        switch self {
        case .tls: "see whether SSL_CERT_FILE is needed; curl -iv \(address)/v2/engagements"
        case .noMemory: "raise --memory-budget"
        default: "check ASKELEPHANT_BASE_URL, name service and firewall; curl -i \(address)/v2/engagements"
        }
    }
}
