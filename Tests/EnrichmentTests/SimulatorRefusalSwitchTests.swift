import Testing

@testable import Simulator

extension SimulatorSwitchTests {
    /// Switches that show in what is refused.
    static let refusals: [String: Probe] = [
        "forbidden_style": Probe(expected: [
            "generic": "403", "not_a_problem": "403 page",
            "scope_in_detail": "403 detail engagements:private:read contacts:read users:read",
            "scope_in_errors": "403 errors engagements:private:read contacts:read users:read",
            "scope_in_challenge": "403 challenge engagements:private:read contacts:read users:read",
            "first_missing_in_detail": "403 detail engagements:private:read",
            "all_required_in_detail":
                "403 detail engagements:read engagements:private:read companies:read contacts:read users:read",
        ]) { remote in
            remote.world.setPrivate(remote.world.id(1))
            remote.world.setToken(simulatorKey, scopes: [SimScope.engagements, SimScope.companies])
            return try named(await remote.get(remote.world.id(1)))
        },
        "missing_expand_scope": Probe(expected: ["refuse": "403", "leave_out": "200 tags"]) { remote in
            remote.world.revoke(SimScope.contacts)
            let answer = try await remote.get(remote.world.id(1), "contacts,tags")
            let parts = answer.json?.names.intersection(["contacts", "tags"]).sorted() ?? []
            return ([String(answer.status)] + parts).joined(separator: " ")
        },
        "private_without_scope": Probe(expected: ["forbidden": "403", "not_found": "404"]) { remote in
            remote.world.setPrivate(remote.world.id(1))
            remote.world.revoke(SimScope.privateEngagements)
            return String(try await remote.get(remote.world.id(1)).status)
        },
        "admin_and_private": Probe(expected: ["opens": "200 200", "stays_closed": "200 403"]) { remote in
            remote.world.setPrivate(remote.world.id(1))
            remote.world.setToken(simulatorKey, scopes: [SimScope.admin])
            let open = try await remote.get(remote.world.id(2)).status
            return "\(open) \(try await remote.get(remote.world.id(1)).status)"
        },
        "challenge": Probe(expected: ["always": "key bearer", "bearer_only": "bearer", "never": ""]) { remote in
            let id = remote.world.id(1)
            let key = try await remote.get(id, token: "sk-apik_no.no").header("WWW-Authenticate")
            let bearer = try await remote.get(id, token: "Bearer no").header("WWW-Authenticate")
            return [key.map { _ in "key" }, bearer.map { _ in "bearer" }].compactMap(\.self).joined(separator: " ")
        },
        "bad_parameter": Probe(expected: ["unprocessable": "422", "bad_request": "400", "ignored": "200"]) { remote in
            String(try await remote.get(remote.world.id(1), "participants").status)
        },
        "expand_form": Probe(expected: ["lenient": "200 200 200 200 200", "strict": "200 422 422 422 422"]) { remote in
            var statuses: [String] = []
            for form in ["tags,owner", "tags%2Cowner", "tags&expand=owner", "tags,tags", ""] {
                statuses.append(String(try await remote.get(remote.world.id(1), form).status))
            }
            return statuses.joined(separator: " ")
        },
        "error_media_type": Probe(expected: [
            "problem": "application/problem+json", "json": "application/json", "html": "text/html",
        ]) { remote in
            try await notFound(remote).header("Content-Type") ?? "none"
        },
        "problem_type": Probe(expected: [
            "named": "https://app.askelephant.ai/errors/not_found", "unseen": "about:blank", "absent": "none",
        ]) { remote in
            try await notFound(remote).json?["type"]?.text ?? "none"
        },
        "retry_after": Probe(expected: [
            "seconds": "1", "http_date": "a date", "missing": "none", "garbage": "soon", "zero": "0",
        ]) { remote in
            remote.world.setRateLimit(perSecond: 0)
            let value = try await remote.get(remote.world.id(1)).header("Retry-After")
            return value.map { $0.hasSuffix(" GMT") ? "a date" : $0 } ?? "none"
        },
        "fault": Probe(expected: [
            "none": "200 application/json", "internal_error": "500 application/problem+json",
            "bad_gateway": "502 text/html", "unavailable": "503 application/problem+json again in 1",
            "gateway_timeout": "504 no type", "forbidden": "403 application/problem+json",
            "redirect": "302 no type", "page": "200 text/html", "cut_off": "cut off",
        ]) { remote in
            guard let answer = try? await remote.get(remote.world.id(1)) else { return "cut off" }
            let again = answer.header("Retry-After").map { " again in \($0)" } ?? ""
            return "\(answer.status) \(answer.header("Content-Type") ?? "no type")\(again)"
        },
    ]

    private static func notFound(_ remote: RemoteSimulator) async throws -> RemoteSimulator.Answer {
        remote.world.setMissing(remote.world.id(1))
        let answer = try await remote.get(remote.world.id(1))
        #expect(answer.status == 404)
        return answer
    }

    /// The status, and where which scopes are named.
    private static func named(_ answer: RemoteSimulator.Answer) throws -> String {
        guard let problem = answer.json else { return "\(answer.status) page" }
        let places = [
            ("detail", problem["detail"]?.text), ("challenge", answer.header("WWW-Authenticate")),
            ("errors", problem["errors"]?.items?.compactMap { $0["message"]?.text }.joined(separator: " ")),
        ]
        let found = places.compactMap { place, text -> String? in
            let scopes = (text ?? "").matches(of: /[a-z_]+(:[a-z_]+)+/).map { String($0.output.0) }
            return scopes.isEmpty ? nil : "\(place) \(scopes.joined(separator: " "))"
        }
        return ([String(answer.status)] + found).joined(separator: " ")
    }
}
