import FoundationEssentials

/// A problem body (contract section 7), and the one place where the switches for errors take effect.
struct Problem: Sendable {
    struct Item: Sendable {
        let field: String
        let code: String
        let message: String
    }

    var status: Int
    var type: String
    var title: String
    var detail: String
    var items: [Item] = []
    var headers: [(String, String)] = []
    /// A proxy's page instead of a problem.
    var isPage = false

    func response(requestID: String, _ switches: Switches) -> SimResponse {
        let mediaType = switches.errorMediaType
        let asPage = isPage || mediaType == .html
        let contentType: String =
            asPage ? "text/html" : mediaType == .json ? "application/json" : "application/problem+json"
        let body = asPage ? page : json(requestID, switches.problemType)
        return SimResponse(
            status: status,
            headers: [("Content-Type", contentType)] + switches.apiVersion.header + headers,
            body: Array(body.utf8)
        )
    }

    private var page: String {
        "<html><head><title>\(status) \(title)</title></head><body><h1>\(title)</h1></body></html>"
    }

    private func json(_ requestID: String, _ problemType: Switches.ProblemType) -> String {
        var writer = JSONWriter()
        writer.object { writer in
            switch problemType {
            case .named: writer.member("type", "https://app.askelephant.ai/errors/\(type)")
            case .unseen: writer.member("type", "about:blank")
            case .absent: break
            }
            writer.member("title", title)
            writer.member("status", status)
            writer.member("detail", detail)
            writer.member("request_id", requestID)
            guard !items.isEmpty else { return }
            writer.list("errors", items) { writer, item in
                writer.object { writer in
                    writer.member("field", item.field)
                    writer.member("code", item.code)
                    writer.member("message", item.message)
                }
            }
        }
        return writer.text
    }
}

extension Problem {
    /// Contract section 2: the challenge is documented, its parameters are not (U-1).
    static func unauthorized(_ authorization: String?, _ challenge: Switches.Challenge) -> Problem {
        let isSent =
            switch challenge {
            case .always: true
            case .bearerOnly: authorization?.hasPrefix("sk-apik_") != true
            case .never: false
            }
        return Problem(
            status: 401, type: "unauthorized", title: "Unauthorized",
            detail: "The credential is missing or not valid.",
            headers: isSent ? [("WWW-Authenticate", "Bearer realm=\"askelephant\"")] : []
        )
    }

    static let internalError = Problem(
        status: 500, type: "internal_error", title: "Internal Server Error",
        detail: "Something went wrong."
    )
    static let badGateway = Problem(
        status: 502, type: "bad_gateway", title: "Bad Gateway", detail: "", isPage: true)
    static let page = Problem(status: 200, type: "page", title: "Welcome", detail: "", isPage: true)
    static let forbiddenAnyway = Problem(
        status: 403, type: "forbidden", title: "Forbidden", detail: "This workspace is suspended."
    )
    static let notFound = Problem(
        status: 404, type: "not_found", title: "Not Found", detail: "There is no such resource."
    )
    static let gone = Problem(
        status: 410, type: "gone", title: "Gone", detail: "The resource was deleted.")
    static let methodNotAllowed = Problem(
        status: 405, type: "method_not_allowed", title: "Method Not Allowed",
        detail: "Only GET is simulated.",
        headers: [("Allow", "GET")]
    )

    static func invalid(
        _ field: String, code: String, _ message: String, _ mode: Switches.BadParameter
    ) -> Problem {
        Problem(
            status: mode == .badRequest ? 400 : 422, type: "validation_failed",
            title: "Validation Failed",
            detail: "The request is not valid.", items: [Item(field: field, code: code, message: message)]
        )
    }

    static func rateLimited(_ form: Switches.RetryAfter, seconds: Int) -> Problem {
        Problem(
            status: 429, type: "rate_limited", title: "Too Many Requests", detail: "Slow down.",
            headers: retryAfter(form, seconds: seconds)
        )
    }

    static func unavailable(_ form: Switches.RetryAfter, seconds: Int) -> Problem {
        Problem(
            status: 503, type: "unavailable", title: "Service Unavailable", detail: "Come back later.",
            headers: retryAfter(form, seconds: seconds)
        )
    }

    static func forbidden(missing: [String], required: [String], _ style: Switches.ForbiddenStyle)
        -> Problem
    {
        var problem = Problem(
            status: 403, type: "forbidden", title: "Forbidden", detail: "This credential may not do that."
        )
        switch style {
        case .generic: break
        case .notAProblem: problem.isPage = true
        case .scopeInDetail: problem.detail = "Scope needed: \(missing.joined(separator: ", "))"
        case .allRequiredInDetail: problem.detail = "Scopes needed: \(required.joined(separator: ", "))"
        case .firstMissingInDetail: problem.detail = "Scope needed: \(missing.first ?? "")"
        case .scopeInErrors:
            problem.items = missing.map {
                Item(field: "expand", code: "missing_scope", message: "\($0) is needed")
            }
        case .scopeInChallenge:
            let scopes = missing.joined(separator: " ")
            problem.headers = [
                ("WWW-Authenticate", "Bearer error=\"insufficient_scope\", scope=\"\(scopes)\"")
            ]
        }
        return problem
    }

    private static func retryAfter(_ form: Switches.RetryAfter, seconds: Int) -> [(String, String)] {
        let value: String? =
            switch form {
            case .seconds: String(seconds)
            case .httpDate: httpDate(secondsSince1970: Int(Date.now.timeIntervalSince1970) + seconds)
            case .missing: nil
            case .garbage: "soon"
            case .zero: "0"
            }
        return value.map { [("Retry-After", $0)] } ?? []
    }

    /// The preferred form of RFC 9110, section 5.6.7.
    static func httpDate(secondsSince1970 second: Int) -> String {
        let day = second / 86_400
        let date = SimTime.civil(day: day)
        let weekday = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"][day % 7]
        let months = [
            "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
        ]
        let time = [second / 3_600 % 24, second / 60 % 60, second % 60].map {
            $0 < 10 ? "0\($0)" : "\($0)"
        }
        let dayText = date.day < 10 ? "0\(date.day)" : "\(date.day)"
        return
            "\(weekday), \(dayText) \(months[date.month - 1]) \(date.year) \(time.joined(separator: ":")) GMT"
    }
}
