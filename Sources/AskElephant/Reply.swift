/// How a request ended: every possibility, so that whoever asks must handle each.
package enum Reply: Sendable {
    /// 200 with something that begins like a JSON object.
    case document(Document)
    /// 304, to a request that named an ETag: what it is of is as it was.
    case notModified(requestID: String?)
    /// 401
    case unauthorized(Problem)
    /// 403
    case forbidden(Problem)
    /// 404
    case notFound(Problem)
    /// 410
    case gone(Problem)
    /// 429, with the wait asked for, see ``RetryAfter``.
    case rateLimited(after: Duration, Problem)
    /// 400, 422 and every other 4xx: repeating the same request will not help.
    case rejected(status: Int, Problem)
    /// 5xx, with the wait asked for if there was a `Retry-After`.
    case unavailable(status: Int, after: Duration?, Problem)
    /// An answer that the contract does not allow.
    case contract(ContractViolation)
    /// No whole answer.
    case transport(TransportFailure)
}

/// An answer that came in whole and cannot be used.
package struct ContractViolation: Sendable, Hashable {
    package enum Kind: String, Sendable, Hashable {
        /// 3xx. It is never followed, the credential belongs to the configured host (contract U-32).
        case redirect
        /// 1xx, a 2xx other than 200, or a number outside 100 to 599.
        case unexpectedStatus = "unexpected_status"
        /// 200 whose body does not begin like a JSON object.
        case notAnObject = "not_an_object"
        /// The body is larger than the configured limit.
        case tooLarge = "too_large"
        /// A packed body, though none was asked for.
        case badCompression = "bad_compression"
    }

    package var kind: Kind
    package var status: Int
    package var requestID: String?

    package init(_ kind: Kind, status: Int, requestID: String? = nil) {
        self.kind = kind
        self.status = status
        self.requestID = requestID
    }
}

/// Why no whole answer came.
package enum TransportFailure: Sendable, Hashable {
    case dns
    case connect
    case tls
    /// The total deadline passed, before or within the body.
    case timeout
    /// The connection was closed or the body cut off, or its length contradicts the header.
    case reset
    /// The calling task was cancelled or the client shut down.
    case cancelled
    /// The total deadline passed while the body waited for a place in our own memory: not the API's doing.
    case noMemory
    /// Anything else: the name of the error, never a value of it.
    case other(String)
}

extension Reply {
    /// The HTTP status, nil when no whole answer came.
    package var status: Int? {
        switch self {
        case .document: 200
        case .notModified: 304
        case .unauthorized: 401
        case .forbidden: 403
        case .notFound: 404
        case .gone: 410
        case .rateLimited: 429
        case .rejected(let status, _): status
        case .unavailable(let status, _, _): status
        case .contract(let violation): violation.status
        case .transport: nil
        }
    }

    /// The id under which AskElephant's support finds the request.
    package var requestID: String? {
        switch self {
        case .document(let document): document.requestID
        case .notModified(let requestID): requestID
        case .unauthorized(let problem), .forbidden(let problem), .notFound(let problem), .gone(let problem),
            .rateLimited(_, let problem), .rejected(_, let problem), .unavailable(_, _, let problem):
            problem.requestID
        case .contract(let violation): violation.requestID
        case .transport: nil
        }
    }
}
