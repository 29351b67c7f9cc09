import FoundationEssentials
import Testing

@testable import Simulator

@Suite struct SimulatorAccess {
    @Test(arguments: [
        (simulatorKey, 200), ("Bearer oauth", 200), (nil, 401), ("Bearer \(simulatorKey)", 401), ("oauth", 401),
        ("Bearer other", 401),
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
        world.setToken(simulatorKey, scopes: [SimScope.engagements, SimScope.companies])
        let text = String(decoding: try await world.get(world.id(1)).body, as: UTF8.self)
        #expect(text.contains("contacts:read") == (style != .notAProblem))
        #expect(text.contains("users:read") == namesTheSecond)
        #expect(text.contains("companies:read") == (style == .allRequiredInDetail))
    }

    /// The order is base, private, parts, however many of them are missing.
    @Test(arguments: 0...4)
    func theFirstMissingScopeOfAPrivateEngagementIsNamed(_ held: Int) async throws {
        let world = makeWorld { $0.forbiddenStyle = .firstMissingInDetail }
        world.setPrivate(world.id(1))
        let order = [
            SimScope.engagements, SimScope.privateEngagements, SimScope.companies, SimScope.contacts, SimScope.users,
        ]
        world.setToken(simulatorKey, scopes: Set(order[..<held]))
        #expect(try await world.get(world.id(1)).json["detail"]?.text == "Scope needed: \(order[held])")
    }

    /// A gate adds to what a part needs, and each scope is listed once.
    @Test func requiredScopesAreListedWithGatesAndOnlyForWhatWasAskedFor() async throws {
        let world = makeWorld {
            $0.forbiddenStyle = .allRequiredInDetail
            $0.extraGates = [.contacts: "people:read", .signals: "people:read"]
        }
        world.revoke(SimScope.privateEngagements)
        world.setPrivate(world.id(1))
        #expect(
            try await world.get(world.id(1), "signals,contacts").json["detail"]?.text
                == "Scopes needed: engagements:read, engagements:private:read, contacts:read, people:read")
        #expect(
            try await world.get(world.id(1), "").json["detail"]?.text
                == "Scopes needed: engagements:read, engagements:private:read")
        #expect(
            try await world.get(world.id(2), "tags,signals").json["detail"]?.text
                == "Scopes needed: engagements:read, people:read")
        world.setSwitches { $0.missingExpandScope = .leaveOut }
        #expect(try await world.get(world.id(2), "tags,signals").json.names.isDisjoint(with: ["signals"]))
    }

    /// Neither a refusal for want of the base scope nor one for a part tells a private engagement from others.
    @Test(arguments: Switches.ForbiddenStyle.allCases)
    func aHiddenPrivateEngagementLeavesNoHint(_ style: Switches.ForbiddenStyle) async throws {
        for held in [[], [SimScope.companies], [SimScope.engagements]] as [Set<String>] {
            let world = makeWorld {
                $0.forbiddenStyle = style
                $0.privateWithoutScope = .notFound
            }
            world.setToken(simulatorKey, scopes: held)
            world.setPrivate(world.id(1))
            let hidden = try await world.get(world.id(1))
            #expect(hidden.status == (held.contains(SimScope.engagements) ? 404 : 403))
            let text = String(decoding: hidden.body, as: UTF8.self) + (hidden.header("WWW-Authenticate") ?? "")
            #expect(!text.contains("private"))
        }
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
        world.setToken(simulatorKey, scopes: [SimScope.admin])
        #expect(try await world.get(world.id(1)).status == 200)
        world.invalidate(simulatorKey)
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
