import NIOHTTP1

/// The part of an answer that decides what it is, before its body is read.
struct AnswerHead: Sendable {
    enum Kind: Sendable, Hashable {
        case document
        case notModified
        /// Worth reading the problem that it carries.
        case problem
        case violation(ContractViolation.Kind)
    }

    let status: Int
    let headers: HTTPHeaders
    /// The request named an ETag.
    let isConditional: Bool

    var kind: Kind {
        switch status {
        case 200: .document
        case 304 where isConditional: .notModified
        case 300..<400: .violation(.redirect)
        case 400..<600: .problem
        default: .violation(.unexpectedStatus)
        }
    }

    var etag: String? { headers.first(name: "ETag") }
    var apiVersion: String? { headers.first(name: "X-Api-Version") }
    var requestID: String? { headers.first(name: "X-Request-Id") }
    /// Packed in some way.
    var isEncoded: Bool { headers["Content-Encoding"].contains { $0.lowercased() != "identity" } }

    /// The bytes that the server announces.
    var contentLength: Int? { headers.first(name: "Content-Length").flatMap { Int($0) } }

    func violation(_ kind: ContractViolation.Kind) -> Reply {
        .contract(ContractViolation(kind, status: status, requestID: requestID))
    }

    /// The reply for a status of ``Kind/problem``. `now` is in Unix seconds.
    func reply(problemBody: [UInt8], now: Int64) -> Reply {
        let problem = Problem(
            body: problemBody, requestIDHeader: requestID, challenges: headers["WWW-Authenticate"])
        return switch status {
        case 401: .unauthorized(problem)
        case 403: .forbidden(problem)
        case 404: .notFound(problem)
        case 410: .gone(problem)
        case 429: .rateLimited(after: retryAfter(now), problem)
        case 500...:
            .unavailable(
                status: status, after: headers.contains(name: "Retry-After") ? retryAfter(now) : nil, problem)
        default: .rejected(status: status, problem)
        }
    }

    private func retryAfter(_ now: Int64) -> Duration {
        RetryAfter.delay(headers["Retry-After"], date: headers.first(name: "Date"), now: now)
    }
}
