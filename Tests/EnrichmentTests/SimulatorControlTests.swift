import Synchronization
import Testing

@testable import Simulator

@Suite(.timeLimit(.minutes(5))) struct SimulatorControl {
    /// What is posted to a verb, and how that shows.
    private struct Case: Sendable {
        /// With `ID` for the engagement's.
        let body: String
        let shows: @Sendable (RemoteSimulator, String) async throws -> Bool
    }

    @Test(arguments: ControlVerb.all.map(\.name))
    func everyVerbHasItsEffect(_ verb: String) async throws {
        let asked = try #require(Self.cases[verb], "no case covers \(verb)")
        try await RemoteSimulator.run { remote in
            let id = remote.world.id(1)
            #expect(try await asked.shows(remote, id) == false, "before")
            let answer = try await remote.control(verb, asked.body.replacing("ID", with: id))
            #expect(answer.status == 200 && answer.json?["switches"] != nil)
            #expect(try await asked.shows(remote, id), "after")
        }
    }

    private static let cases: [String: Case] = [
        "grant": Case(body: #"{"scope":"signals:read","token":"\#(simulatorKey)"}"#) { remote, id in
            remote.world.setSwitches { $0.extraGates[.signals] = "signals:read" }
            return try await remote.get(id).status == 200
        },
        "revoke": Case(body: #"{"scope":"users:read"}"#) { remote, id in
            try await remote.get(id, "owner").status == 403
        },
        "token": Case(body: #"{"token":"oauth","scopes":["engagements:read","custom:thing"]}"#) { remote, id in
            try await remote.get(id, "tags", token: "Bearer oauth").status == 200
        },
        "private": Case(body: #"{"id":"ID"}"#) { remote, id in
            try await remote.get(id).json?["is_private"] == .boolean(true)
        },
        "missing": Case(body: #"{"id":"ID","on":true}"#) { remote, id in
            try await remote.get(id).status == 404
        },
        "gone": Case(body: #"{"id":"ID"}"#) { remote, id in try await remote.get(id).status == 410 },
        "bump": Case(body: #"{"id":"ID"}"#) { remote, id in
            let first = remote.world.engagement(id, version: 1).updatedAt
            return try await remote.get(id).json?["updated_at"]?.text.flatMap { SimTime($0) } != first
        },
        "unfinish": Case(body: #"{"id":"ID"}"#) { remote, id in
            try await remote.get(id).json?["processing_status"]?.text == "PROCESSING"
        },
        "finish": Case(body: #"{"id":"ID"}"#) { remote, id in
            if remote.world.truth(id).version == 1 { remote.world.setUnfinished(id) }
            return try await remote.get(id).json?["processing_status"]?.text != "PROCESSING"
        },
        "switch": Case(body: #"{"name":"api_version","value":"absent"}"#) { remote, id in
            try await remote.get(id).header("X-Api-Version") == nil
        },
        "fault": Case(body: #"{"fault":"unavailable","id":"ID","times":1}"#) { remote, id in
            let other = try await remote.get(remote.world.id(2)).status
            let statuses = [try await remote.get(id).status, try await remote.get(id).status]
            return other == 200 && statuses == [503, 200]
        },
        "latency": Case(body: #"{"milliseconds":30,"id":"ID"}"#) { remote, id in
            remote.world.state.withLock { $0.latencies[id] } == .milliseconds(30)
        },
        "rate_limit": Case(body: #"{"per_second":0}"#) { remote, id in
            try await remote.get(id).status == 429
        },
        "transcript": Case(body: #"{"bytes":9000}"#) { remote, _ in
            let texts = try await remote.documents(0..<20, "transcript").compactMap { $0["transcript"]?.text }
            return texts.allSatisfy { $0.utf8.count >= 9_000 }
        },
        "clear_journal": Case(body: "") { remote, id in
            guard remote.world.totalRequests == 0 else { return remote.world.requests.isEmpty }
            _ = try await remote.get(id)
            return remote.world.requests.isEmpty
        },
    ]

    @Test func whatWasChangedIsChangedBack() async throws {
        try await RemoteSimulator.run { remote in
            let id = remote.world.id(1)
            for (verb, body, changed) in [
                ("missing", #"{"id":"\#(id)","on":"#, 404), ("gone", #"{"id":"\#(id)","on":"#, 410),
            ] {
                _ = try await remote.control(verb, body + "true}")
                #expect(try await remote.get(id).status == changed)
                _ = try await remote.control(verb, body + "false}")
                #expect(try await remote.get(id).status == 200)
            }
            for (verb, value, status) in [("revoke", "", 403), ("token", #""valid":false,"#, 401)] {
                let scope = verb == "revoke" ? #""scope":"contacts:read","# : ""
                _ = try await remote.control(verb, #"{\#(scope)\#(value)"token":"\#(simulatorKey)"}"#)
                #expect(try await remote.get(id).status == status)
                _ = try await remote.control("grant", #"{"scope":"contacts:read"}"#)
                _ = try await remote.control("token", #"{"token":"\#(simulatorKey)","valid":true}"#)
                #expect(try await remote.get(id).status == 200, "a token that is valid again keeps its scopes")
            }
            _ = try await remote.control("fault", #"{"fault":"bad_gateway"}"#)
            #expect(try await remote.get(id).status == 502)
            _ = try await remote.control("fault", #"{"fault":"none"}"#)
            #expect(try await remote.get(id).status == 200)
        }
    }

    @Test func theStateIsShown() async throws {
        try await RemoteSimulator.run { remote in
            let id = remote.world.id(1)
            _ = try await remote.control("private", #"{"id":"\#(id)"}"#)
            _ = try await remote.control("rate_limit", #"{"per_second":50}"#)
            _ = try await remote.control("latency", #"{"milliseconds":2}"#)
            _ = try await remote.control("token", #"{"token":"a","scopes":["tags:read"],"valid":false}"#)
            let state = try #require(try await remote.ask("/_simulator").json)
            #expect(state["private"]?.items == [.string(id)] && state["gone"]?.items == [])
            #expect(state["rate_limit_per_second"] == .number(50) && state["latency_milliseconds"] == .number(2))
            #expect(state["switches"]?.names == Set(NamedSwitch.all.map(\.name)))
            let token = try #require(state["tokens"]?.items?.first)
            #expect(token["token"]?.text == "a" && token["valid"] == .boolean(false))
            #expect(token["scopes"]?.items == [.string("tags:read")])
            #expect(state["requests"] == .number(0), "control is not in the journal")
        }
    }

    @Test func theJournalCountsByStatusAndPath() async throws {
        try await RemoteSimulator.run { remote in
            let id = remote.world.id(1)
            for _ in 0..<2 { _ = try await remote.get(id) }
            _ = try await remote.control("missing", #"{"id":"\#(id)"}"#)
            _ = try await remote.get(id)
            _ = try await remote.list("limit=1")
            _ = try await remote.ask("/api/v1/anything")
            let journal = try #require(try await remote.ask("/_simulator/journal").json)
            #expect(journal["requests"] == .number(5))
            #expect(journal["statuses"] == .object(["200": .number(3), "404": .number(2)]))
            #expect(journal["paths"]?.names == ["/engagements", "/engagements/\(id)", "other"])
            #expect(journal["paths"]?["/engagements/\(id)"]?["statuses"]?["200"] == .number(2))
        }
    }

    @Test(arguments: [
        ("POST", "/dance", "{}", "The verbs are: grant, revoke, token"), ("GET", "/grant", "", "GET /_simulator"),
        ("DELETE", "", "", "POST /_simulator/VERB"), ("POST", "/grant", "{}", "scope must be a text"),
        ("POST", "/grant", #"{"scope":"a b"}"#, "such as contacts:read"),
        ("POST", "/grant", #"{"scope":"a:b","token":"no"}"#, "no such token"),
        ("POST", "/grant", #"{"scope":"a:b","to":"no"}"#, "The fields are: scope, token?."),
        ("POST", "/grant", "[]", "Its fields are: scope, token?."), ("POST", "/grant", "{", "no JSON object"),
        ("POST", "/token", #"{"token":"new"}"#, "needs scopes"), ("POST", "/token", #"{"token":""}"#, "not be empty"),
        ("POST", "/token", #"{"token":"new","scopes":"all"}"#, "a list of scopes"),
        ("POST", "/private", #"{"id":"42"}"#, "id must be ngmt_"), ("POST", "/private", "{}", "engagement id"),
        ("POST", "/private", #"{"id":"ngmt_1","on":1}"#, "true or false"),
        ("POST", "/switch", #"{"name":"x","value":"y"}"#, "The switches are: forbidden_style"),
        ("POST", "/switch", #"{"name":"retry_after","value":"y"}"#, "seconds, http_date, missing, garbage, zero"),
        ("POST", "/fault", #"{"fault":"x"}"#, "internal_error"), ("POST", "/latency", "{}", "from 0 to 1000000"),
        ("POST", "/rate_limit", #"{"per_second":-1}"#, "from 0 to 1000000"),
        ("POST", "/transcript", #"{"bytes":1.5}"#, "plain values"),
        ("POST", "/clear_journal", #"{"id":"ngmt_1"}"#, "The fields are: none."),
    ])
    func whatCannotBeDoneChangesNothingAndSaysWhatCan(
        _ method: String, _ path: String, _ body: String, _ words: String
    ) async throws {
        try await RemoteSimulator.run { remote in
            let before = remote.world.stateText
            let answer = try await remote.ask("/_simulator\(path)", method: method, body: body)
            #expect(answer.status == 400)
            let error = try #require(answer.json?["error"]?.text)
            #expect(error.contains(words), "\(error)")
            #expect(remote.world.stateText == before)
        }
    }

    @Test func itIsOffUnlessAskedFor() async throws {
        try await RemoteSimulator.run(hasControl: false) { remote in
            let posted = try await remote.control("revoke", #"{"scope":"users:read"}"#)
            #expect(posted.status == 405, "as any other path")
            #expect(try await remote.ask("/_simulator").status == 404)
            #expect(try await remote.get(remote.world.id(1)).status == 200)
            #expect(remote.world.totalRequests == 3)
        }
    }
}
