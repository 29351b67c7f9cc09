import AsyncHTTPClient
import FoundationEssentials
import NIOCore
import NIOHTTP1
import Testing

@testable import Simulator

private let everything = "companies,contacts,owner,action_items,signals,transcript,media_url,tags"
private let key = Simulator.demoToken

/// Any JSON at all.
private enum JSON: Decodable, Equatable {
    case null
    case boolean(Bool)
    case number(Double)
    case string(String)
    case array([JSON])
    case object([String: JSON])

    init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        if container.decodeNil() {
            self = .null
        } else if let value = try? container.decode(Bool.self) {
            self = .boolean(value)
        } else if let value = try? container.decode(Double.self) {
            self = .number(value)
        } else if let value = try? container.decode(String.self) {
            self = .string(value)
        } else if let value = try? container.decode([JSON].self) {
            self = .array(value)
        } else {
            self = .object(try container.decode([String: JSON].self))
        }
    }

    subscript(name: String) -> JSON? { if case .object(let members) = self { members[name] } else { nil } }
    var text: String? { if case .string(let value) = self { value } else { nil } }
    var items: [JSON]? { if case .array(let values) = self { values } else { nil } }
    var names: Set<String> { if case .object(let members) = self { Set(members.keys) } else { [] } }
}

extension SimResponse {
    fileprivate var json: JSON {
        get throws { try JSONDecoder().decode(JSON.self, from: Data(body)) }
    }
}

extension World {
    fileprivate func get(
        _ id: String, _ expand: String = everything, token: String? = key, ifNoneMatch: String? = nil
    ) async throws -> SimResponse {
        let target = "/api/v2/engagements/\(id)" + (expand.isEmpty ? "" : "?expand=\(expand)")
        return try await answer(SimRequest(target: target, authorization: token, ifNoneMatch: ifNoneMatch))
    }

    fileprivate func list(_ query: String) async throws -> SimResponse {
        try await answer(SimRequest(target: "/api/v2/engagements?\(query)", authorization: key))
    }
}

/// A world with the demo token in it, but without a server.
private func makeWorld(
    seed: UInt64 = 7, _ settings: SimulatorSettings = SimulatorSettings(), _ change: (inout Switches) -> Void = { _ in }
) -> World {
    var switches = Switches()
    change(&switches)
    return Simulator(seed: seed, settings: settings, switches: switches).world
}

// MARK: Documents

@Suite struct SimulatorDocuments {
    @Test func theSeedDecidesEverything() async throws {
        let (one, same, other) = (makeWorld(), makeWorld(), makeWorld(seed: 8))
        var differences = 0
        for number in 0..<100 {
            let id = one.id(number)
            #expect(one.truth(id) == same.truth(id))
            let (first, second) = try await (one.get(id), same.get(id))
            #expect(first == second)
            if one.truth(id).title != other.truth(id).title { differences += 1 }
        }
        #expect(differences > 50)
    }

    @Test(arguments: [Switches.WithoutValue.varied, .absent, .null], [Switches.CRMKeys.crmObjectID, .id, .extraKeys])
    func everyDocumentKeepsToTheContract(_ withoutValue: Switches.WithoutValue, _ keys: Switches.CRMKeys) async throws {
        let world = makeWorld {
            $0.withoutValue = withoutValue
            $0.crmKeys = keys
        }
        for number in 0..<60 {
            let response = try await world.get(world.id(number))
            #expect(response.status == 200)
            try expectContract(response.json, allowsNull: withoutValue == .null)
        }
    }

    @Test func aDocumentSaysWhatIsTrue() async throws {
        let world = makeWorld()
        for number in 0..<200 {
            let truth = world.truth(world.id(number))
            let document = try await world.get(truth.id).json
            #expect(document["title"]?.text == truth.title)
            #expect(document["transcript"]?.text == truth.transcript)
            #expect(document["description"]?.text == truth.description)
            #expect(document["updated_at"]?.text.flatMap { SimTime($0) } == truth.updatedAt)
            #expect(document["crm_association"]?["crm_object_id"]?.text == truth.crmAssociation?.objectID)
            #expect(document["owner"]?["id"]?.text == truth.ownerUserID)
            #expect(document["contacts"]?.items?.map { $0["id"]?.text } == truth.contacts.map(\.id))
            #expect(document["contacts"]?.items?.map { $0["last_name"]?.text } == truth.contacts.map(\.lastName))
            #expect(document["action_items"]?.items?.map { $0["id"]?.text } == truth.actionItems.map(\.id))
            #expect(document["signals"]?.items?.map { $0["name"]?.text } == truth.signals.map(\.name))
        }
    }

    @Test func onlyWhatWasAskedForIsThere() async throws {
        let world = makeWorld()
        let names = Set(everything.split(separator: ",").map(String.init))
        for (expand, expected) in [
            ("", Set<String>()), ("tags,signals", ["tags", "signals"]), ("contacts%2Cowner", ["contacts", "owner"]),
            ("tags&expand=owner,tags", ["tags", "owner"]),
        ] {
            let document = try await world.get(world.id(1), expand).json
            #expect(document.names.intersection(names) == expected)
        }
    }

    @Test func shapesAndContentsVary() {
        let world = makeWorld()
        let all = (0..<1_000).map { world.truth(world.id($0)) }
        #expect(Set(all.map(\.engagementType)).count == 8, "seven documented types and an unseen one")
        #expect(Set(all.map(\.processingStatus)) == ["COMPLETED", "FAILED", "PROCESSING"])
        #expect(all.contains { $0.externalURL?.hasPrefix("wavv://") == true })
        #expect(all.contains { $0.owner == nil } && all.contains { $0.contacts.isEmpty })
        #expect(all.contains { !$0.createdAt.isWholeSecond } && all.contains { $0.createdAt.isWholeSecond })
        let items = all.flatMap(\.actionItems)
        #expect(items.contains { $0.id == nil } && items.contains { $0.id != nil })
        #expect(all.allSatisfy { !$0.isPrivate })
        #expect(Set(all.flatMap(\.contacts).map(\.id)).count < all.flatMap(\.contacts).count, "contacts are shared")
    }

    @Test func laterVersionsChangeAndStayInTheYear() throws {
        let world = makeWorld()
        let end = try #require(SimTime("2026-11-01T00:00:00Z"))
        var (dropped, restored, added, removed) = (0, 0, 0, 0)
        for number in 0..<20 {
            let versions = (1...30).map { world.engagement(world.id(number), version: $0) }
            for (old, new) in zip(versions, versions.dropFirst()) {
                #expect(old.updatedAt.milliseconds + 1_000 <= new.updatedAt.milliseconds)
                let (before, after) = (Set(old.contacts.map(\.id)), Set(new.contacts.map(\.id)))
                added += after.subtracting(before).count
                removed += before.subtracting(after).count
                if old.crmAssociation != nil && new.crmAssociation == nil { dropped += 1 }
                if old.crmAssociation == nil && new.crmAssociation != nil { restored += 1 }
            }
            #expect(world.engagement(world.id(number), version: Generator.highestVersion).updatedAt < end)
        }
        #expect(min(dropped, restored, added, removed) > 10)
    }

    @Test func aSharedContactChangesEverywhere() throws {
        var settings = SimulatorSettings()
        settings.contactPool = 3
        settings.children = 3...3
        let world = makeWorld(settings)
        let before = world.contact(0)
        let holders = (0..<50).map(world.id).filter { world.truth($0).contacts.contains(before) }
        let times = holders.map { world.truth($0).updatedAt }
        world.bumpContact(0)
        try #require(holders.count > 10 && world.contact(0) != before)
        #expect(holders.allSatisfy { world.truth($0).contacts.contains(world.contact(0)) })
        #expect(holders.map { world.truth($0).updatedAt } == times)
    }

    @Test func anUnfinishedEngagementBecomesFinished() async throws {
        var settings = SimulatorSettings()
        settings.unfinishedPercent = 0
        let world = makeWorld(settings) { $0.enumValues = .documented }
        let id = try #require((0..<100).map(world.id).first { world.truth($0).transcript != nil })
        world.setUnfinished(id)
        let before = world.truth(id)
        let document = try await world.get(id).json
        #expect(document["processing_status"]?.text == "PROCESSING")
        #expect(document["transcript"] == .null && before.signals.count <= 1)
        world.finish(id)
        #expect(world.truth(id).transcript != nil && world.truth(id).updatedAt > before.updatedAt)
    }

    @Test func aTranscriptHasTheSetLength() throws {
        var settings = SimulatorSettings()
        settings.transcriptBytes = 38_000...38_000
        let world = makeWorld(settings)
        let lengths = (0..<50).compactMap { world.truth(world.id($0)).transcript?.utf8.count }
        #expect(lengths.count > 30 && lengths.allSatisfy { (38_000..<38_100).contains($0) })
    }

    @Test func mediaIsSignedAnewAndTheTagDoesNotMind() async throws {
        let world = makeWorld { $0.enumValues = .documented }
        let id = try #require((0..<100).map(world.id).first { world.truth($0).mediaURL != nil })
        let (first, second) = try await (world.get(id), world.get(id))
        let addresses = try [first, second].map { try $0.json["media_url"]?.text }
        #expect(addresses[0] != addresses[1] && addresses.allSatisfy { $0?.contains("signature=SIGNATURE-") == true })
        #expect(first.header("ETag") != nil && first.header("etag") == second.header("ETag"))
        world.bump(id)
        #expect(try await world.get(id).header("ETag") != first.header("ETag"))
        #expect(first.header("X-Api-Version") != nil)
    }

    @Test func aTagIsHonouredOnlyWhenSwitchedOn() async throws {
        let world = makeWorld()
        let tag = try await world.get(world.id(1), "tags").header("ETag")
        #expect(try await world.get(world.id(1), "tags", ifNoneMatch: tag).status == 200)
        world.setSwitches { $0.conditionalGet = .honoured }
        #expect(try await world.get(world.id(1), "tags", ifNoneMatch: tag).status == 304)
    }

    @Test(arguments: [Switches.Timestamps.wholeSeconds, .milliseconds])
    func timestampsAreAsSwitched(_ timestamps: Switches.Timestamps) async throws {
        let world = makeWorld { $0.timestamps = timestamps }
        for number in 0..<30 {
            let text = try #require(try await world.get(world.id(number), "").json["updated_at"]?.text)
            #expect(text.utf8.count == (timestamps == .wholeSeconds ? 20 : 24))
            #expect(SimTime(text) == world.truth(world.id(number)).updatedAt)
        }
    }

    /// The types of contract sections 4 and 5.
    private func expectContract(_ document: JSON, allowsNull: Bool) throws {
        #expect(document["object"] == .string("engagement"))
        for name in ["id", "title", "engagement_type", "processing_status", "created_at", "updated_at"] {
            #expect(document[name]?.text != nil, "\(name)")
        }
        for name in ["description", "data_source", "engagement_at", "start_at", "end_at", "meeting_url"] {
            guard let value = document[name] else { continue }
            #expect(value.text != nil || (allowsNull && value == .null), "\(name)")
        }
        for name in ["companies", "contacts", "action_items", "signals", "tags"] {
            let items = try #require(document[name]?.items, "\(name)")
            #expect(items.allSatisfy { if case .object = $0 { true } else { false } }, "\(name)")
        }
        for name in ["transcript", "media_url"] {
            let value = try #require(document[name])
            #expect(value.text != nil || value == .null)
        }
        for company in try #require(document["companies"]?.items) {
            #expect(company["object"] == .string("engagement_company"))
            #expect(company["id"]?.text?.hasPrefix("cmp_") == true)
        }
        for contact in try #require(document["contacts"]?.items) {
            #expect(contact["id"]?.text?.hasPrefix("cnt_") == true)
            for email in contact["emails"]?.items ?? [] { #expect(email["email"]?.text?.contains("@") == true) }
        }
        let owner = try #require(document["owner"])
        #expect(owner == .null || owner["id"]?.text?.hasPrefix("usr_") == true)
    }
}

// MARK: Access

@Suite struct SimulatorAccess {
    @Test(arguments: [
        (key, 200), ("Bearer oauth", 200), (nil, 401), ("Bearer \(key)", 401), ("oauth", 401), ("Bearer other", 401),
        ("sk-apik_other.secret", 401),
    ])
    func credentialsGoInTheirOwnForm(_ authorization: String?, _ status: Int) async throws {
        let world = makeWorld()
        world.setToken("oauth", scopes: SimScope.all)
        let response = try await world.get(world.id(1), token: authorization)
        #expect(response.status == status)
        #expect((response.header("WWW-Authenticate") != nil) == (status == 401))
    }

    @Test func aMissingExpandScopeRefusesTheWholeRequestAndNamesNothing() async throws {
        let world = makeWorld()
        world.revoke(SimScope.contacts)
        let response = try await world.get(world.id(1))
        #expect(response.status == 403 && response.header("Content-Type") == "application/problem+json")
        #expect(!String(decoding: response.body, as: UTF8.self).contains("contacts"))
        #expect(try response.json["request_id"]?.text?.hasPrefix("rid_") == true)
        #expect(try await world.get(world.id(1), "companies,owner,tags").status == 200)
        world.grant(SimScope.contacts)
        #expect(try await world.get(world.id(1)).status == 200)
    }

    @Test(arguments: [
        (Switches.ForbiddenStyle.scopeInDetail, true), (.scopeInErrors, true), (.firstMissingInDetail, false),
        (.allRequiredInDetail, true), (.notAProblem, false),
    ])
    func aRefusalNamesScopesAsSwitched(_ style: Switches.ForbiddenStyle, _ namesTheSecond: Bool) async throws {
        let world = makeWorld { $0.forbiddenStyle = style }
        world.setToken(key, scopes: [SimScope.engagements, SimScope.companies])
        let text = String(decoding: try await world.get(world.id(1)).body, as: UTF8.self)
        #expect(text.contains("contacts:read") == (style != .notAProblem))
        #expect(text.contains("users:read") == namesTheSecond)
        #expect(text.contains("companies:read") == (style == .allRequiredInDetail))
    }

    @Test func aChallengeMayNameTheScope() async throws {
        let world = makeWorld { $0.forbiddenStyle = .scopeInChallenge }
        world.revoke(SimScope.users)
        let challenge = try await world.get(world.id(1)).header("WWW-Authenticate")
        #expect(challenge?.contains("scope=\"users:read\"") == true)
    }

    @Test func aMissingExpandScopeMayLeaveTheKeyOut() async throws {
        let world = makeWorld { $0.missingExpandScope = .leaveOut }
        world.revoke(SimScope.contacts)
        let document = try await world.get(world.id(1)).json
        #expect(document["contacts"] == nil && document["companies"] != nil)
    }

    @Test(arguments: [(Switches.PrivateWithoutScope.forbidden, 403), (.notFound, 404)])
    func privateEngagementsNeedTheirScope(_ setting: Switches.PrivateWithoutScope, _ status: Int) async throws {
        let world = makeWorld { $0.privateWithoutScope = setting }
        let (open, hidden) = (world.id(1), world.id(2))
        world.register([open, hidden])
        world.setPrivate(hidden)
        #expect(try await world.get(hidden).json["is_private"] == .boolean(true))
        world.revoke(SimScope.privateEngagements)
        #expect(try await world.get(hidden, "").status == status)
        #expect(try await world.get(open, "").status == 200)
        #expect(try await world.list("").json["data"]?.items?.map { $0["id"]?.text } == [open])
    }

    @Test func theBaseScopeIsNeededAndAdminGrantsEverything() async throws {
        let world = makeWorld()
        world.setPrivate(world.id(1))
        world.revoke(SimScope.engagements)
        #expect(try await world.get(world.id(2), "").status == 403)
        #expect(try await world.list("limit=1").status == 403)
        world.setToken(key, scopes: [SimScope.admin])
        #expect(try await world.get(world.id(1)).status == 200)
        world.invalidate(key)
        #expect(try await world.get(world.id(1)).status == 401)
    }

    @Test(arguments: [(Switches.BadParameter.unprocessable, 422, 422), (.badRequest, 400, 400), (.ignored, 200, 404)])
    func badParametersAreRefused(_ setting: Switches.BadParameter, _ expand: Int, _ id: Int) async throws {
        let world = makeWorld { $0.badParameter = setting }
        #expect(try await world.get(world.id(1), "contacts,participants").status == expand)
        #expect(try await world.get("ngmt_a-b").status == id)
        #expect(try await world.get("ngmt_").status == id)
        #expect(try await world.list("limit=101").status == expand)
    }

    @Test(arguments: [
        (Switches.ErrorMediaType.problem, "application/problem+json"), (.json, "application/json"),
        (.html, "text/html"),
    ])
    func errorsHaveTheSwitchedMediaType(_ setting: Switches.ErrorMediaType, _ type: String) async throws {
        let world = makeWorld { $0.errorMediaType = setting }
        world.setMissing(world.id(1))
        let response = try await world.get(world.id(1))
        #expect(response.status == 404 && response.header("Content-Type") == type)
    }
}

// MARK: The list

@Suite struct SimulatorList {
    @Test(arguments: ["asc", "desc"], [true, false])
    func pagesNeitherSkipNorRepeat(_ order: String, _ repeatsParameters: Bool) async throws {
        let world = makeWorld()
        let ids = (0..<57).map(world.id)
        world.register(ids)
        let parameters = "limit=10&order_by=updated_at:\(order)&expand=tags"
        var (found, query, pages): ([String], String, Int) = ([], parameters, 0)
        repeat {
            let page = try await world.list(query).json
            found += try #require(page["data"]?.items?.compactMap { $0["tags"] == nil ? nil : $0["id"]?.text })
            pages += 1
            #expect(page["has_more"] == .boolean(pages < 6))
            guard let cursor = page["next_cursor"]?.text else { break }
            let escaped = cursor.split(separator: "+").joined(separator: "%2B").replacing("=", with: "%3D")
            query = "cursor=\(escaped)&" + (repeatsParameters ? parameters : "limit=10&expand=tags")
        } while pages < 10
        let sorted = ids.sorted { world.truth($0).updatedAt < world.truth($1).updatedAt }
        #expect(found == (order == "asc" ? sorted : sorted.reversed()))
    }

    @Test func boundsAreStrictOrInclusiveAsDocumented() async throws {
        let world = makeWorld { $0.timestamps = .wholeSeconds }
        world.register((0..<20).map(world.id))
        let times = (0..<20).map { world.truth(world.id($0)).updatedAt }.sorted()
        let (low, high) = (times[5].text(), times[10].text())
        for (filters, count) in [("gt", 14), ("gte", 15), ("lt", 5), ("lte", 6)].map({ ("[\($0.0)]=\(low)", $0.1) }) {
            let page = try await world.list("limit=100&filter%5Bupdated_at%5D\(filters)").json
            #expect(page["data"]?.items?.count == count, "\(filters)")
        }
        let page = try await world.list("filter[updated_at][gte]=\(low)&filter[updated_at][lt]=\(high)").json
        #expect(page["data"]?.items?.count == 5)
    }

    @Test func aChangedEngagementMovesToTheEnd() async throws {
        let world = makeWorld()
        world.register((0..<30).map(world.id))
        let first = try await world.list("").json
        #expect(first["data"]?.items?.count == 25, "the default limit")
        let last = world.id(11)
        world.setVersion(last, 500_000)
        #expect(try await world.list("limit=1").json["data"]?.items?.first?["id"]?.text == last)
    }

    @Test(arguments: ["limit=0", "cursor=x", "order_by=title", "filter[updated_at][gt]=tomorrow", "search=x"])
    func whatCannotBeServedIsRefused(_ query: String) async throws {
        #expect(try await makeWorld().list(query).status == 422)
    }
}

// MARK: Faults

@Suite struct SimulatorFaults {
    @Test func anOverrideAnswersAsOftenAsSaid() async throws {
        let world = makeWorld()
        world.override(world.id(1), SimResponse(status: 500), times: 2)
        var statuses: [Int] = []
        for _ in 0..<3 { statuses.append(try await world.get(world.id(1)).status) }
        #expect(statuses == [500, 500, 200])
        #expect(world.requests(for: world.id(1)).map(\.status) == [500, 500, 200])
        world.overrideAll(SimResponse(status: 503))
        #expect(try await world.get(world.id(2)).status == 503)
        world.clearOverrideOfAll()
        #expect(try await world.get(world.id(2)).status == 200)
    }

    @Test func missingAndGoneComeBack() async throws {
        let world = makeWorld()
        world.setMissing(world.id(1))
        world.setGone(world.id(2))
        #expect(try await world.get(world.id(1)).status == 404)
        #expect(try await world.get(world.id(2)).status == 410)
        world.setMissing(world.id(1), false)
        world.setGone(world.id(2), false)
        #expect(try await world.get(world.id(1)).status == 200)
        #expect(try await world.get(world.id(2)).status == 200)
    }

    @Test(arguments: [
        (Switches.RetryAfter.seconds, "1" as String?), (.zero, "0"), (.garbage, "soon"), (.missing, nil),
        (.httpDate, " GMT"),
    ])
    func tooManyRequestsAreTurnedAway(_ form: Switches.RetryAfter, _ ending: String?) async throws {
        let world = makeWorld { $0.retryAfter = form }
        world.setRateLimit(perSecond: 0)
        let response = try await world.get(world.id(1))
        #expect(response.status == 429)
        #expect(response.header("Retry-After")?.suffix(ending?.count ?? 0) == ending?[...])
        world.setRateLimit(perSecond: nil)
        #expect(try await world.get(world.id(1)).status == 200)
    }

    @Test func anHTTPDateIsWrittenAsTheStandardHasIt() {
        #expect(Problem.httpDate(secondsSince1970: 784_111_777) == "Sun, 06 Nov 1994 08:49:37 GMT")
        #expect(SimTime("1994-11-06T08:49:37.5Z")?.milliseconds == 784_111_777_500)
        #expect(SimTime(milliseconds: 784_111_777_050).text() == "1994-11-06T08:49:37.050Z")
    }

    @Test(.timeLimit(.minutes(1))) func aHeldAnswerIsOfTheTimeOfItsRequest() async throws {
        let world = makeWorld()
        let id = world.id(1)
        let before = world.truth(id)
        world.hold(id)
        async let held = world.get(id)
        try await world.waitForRequest(id)
        #expect(world.requests(for: id).map(\.status) == [nil])
        world.bump(id)
        world.releaseHold(id)
        #expect(try await held.json["updated_at"]?.text.flatMap { SimTime($0) } == before.updatedAt)
        #expect(world.truth(id).updatedAt > before.updatedAt)
        #expect(world.requests(for: id).map(\.status) == [200])
    }

    @Test(.timeLimit(.minutes(1))) func theNthRequestIsWaitedFor() async throws {
        let world = makeWorld()
        async let arrived: Void = world.waitForRequest(world.id(1), count: 3)
        for _ in 0..<3 { _ = try await world.get(world.id(1), "tags,owner") }
        try await arrived
        try await world.waitForRequests(total: 3)
        #expect(world.requestCount(for: world.id(1)) == 3 && world.totalRequests == 3)
        #expect(world.requests.map(\.parts.names) == Array(repeating: ["owner", "tags"], count: 3))
    }

    @Test(.timeLimit(.minutes(1))) func waitingEndsWithItsTask() async throws {
        let world = makeWorld()
        let waiting = Task { try await world.waitForRequest(world.id(1)) }
        waiting.cancel()
        await #expect(throws: CancellationError.self) { try await waiting.value }
    }

    @Test func theJournalForgetsTheOldestFirst() {
        var journal = Journal(capacity: 10)
        for _ in 0..<25 { _ = journal.arrived("ngmt_a", .all) }
        journal.answered(25, 200)
        journal.answered(1, 200)
        #expect(journal.entries.count <= 10 && journal.entries.last?.number == 25)
        #expect(journal.entries.filter { $0.status == 200 }.map(\.number) == [25])
        #expect(journal.count("ngmt_a") == 25 && journal.total == 25)
    }
}

// MARK: Over the wire

@Suite(.timeLimit(.minutes(1))) struct SimulatorServer {
    @Test func servesOverHTTPAndStartsAgainOnItsPort() async throws {
        let simulator = Simulator(seed: 7)
        try await simulator.start()
        let base = simulator.baseURL
        let id = simulator.world.id(1)
        #expect(base.hasSuffix("/api"))
        let (status, body) = try await get("\(base)/v2/engagements/\(id)?expand=contacts%2Ctags")
        #expect(status == 200)
        let document = try JSONDecoder().decode(JSON.self, from: Data(body))
        #expect(document["id"]?.text == id && document["contacts"]?.items != nil)
        #expect(try await get("\(base)/v1/anything").0 == 404)

        await simulator.stop()
        let port = try #require(base.split(separator: ":").last?.split(separator: "/").first.flatMap { Int($0) })
        try await simulator.start(port: port)
        #expect(simulator.baseURL == base)
        #expect(try await get("\(base)/v2/engagements/\(id)").0 == 200)
        await simulator.stop()
    }

    @Test func stopEndsHeldRequestsAndACutAnswerFails() async throws {
        let simulator = Simulator(seed: 7)
        try await simulator.start()
        let base = simulator.baseURL
        let (held, cut) = (simulator.world.id(1), simulator.world.id(2))
        var response = SimResponse.json(#"{"object":"engagement"}"#)
        response.cutAfter = 5
        simulator.world.override(cut, response)
        await #expect(throws: (any Error).self) { try await get("\(base)/v2/engagements/\(cut)") }
        simulator.world.hold(held)
        let waiting = Task { try await get("\(base)/v2/engagements/\(held)") }
        try await simulator.world.waitForRequest(held)
        await simulator.stop()
        await #expect(throws: (any Error).self) { try await waiting.value }
    }

    @Test func aTakenPortIsAnError() async throws {
        let first = Simulator(seed: 7)
        try await first.start()
        let port = try #require(
            first.baseURL.split(separator: ":").last?.split(separator: "/").first.flatMap { Int($0) })
        await #expect(throws: (any Error).self) { try await Simulator(seed: 7).start(port: port) }
        await first.stop()
    }

    private func get(_ address: String) async throws -> (Int, [UInt8]) {
        var request = HTTPClientRequest(url: address)
        request.headers.add(name: "Authorization", value: key)
        let response = try await HTTPClient.shared.execute(request, timeout: .seconds(20))
        let body = try await response.body.collect(upTo: 1 << 20)
        return (Int(response.status.code), Array(body.readableBytesView))
    }
}
