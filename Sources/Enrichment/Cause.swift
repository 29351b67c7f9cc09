/// Why a job failed, was given back, or ended as a dead letter.
package enum Cause: String, Sendable, CaseIterable {
    /// The row holds no engagement id.
    case invalidID = "invalid_id"
    /// 404 or 410.
    case notFound = "not_found"
    /// 403 whatever is asked for, while other engagements can be read.
    case `private`
    /// 403, and the API did not say yet whether other engagements can be read.
    case forbidden
    /// Another 4xx: the API will not take this request, however often it is made.
    case rejected
    /// The answer is not the document that was asked for: no JSON object, another id, a redirect.
    case contract
    /// The answer is larger than `--max-document-bytes`.
    case tooLarge = "too_large"
    /// A 5xx.
    case api
    /// No whole answer: name resolution, connect, TLS, time-out, reset.
    case network
    /// Postgres refuses to write this engagement, somebody's trigger for example.
    case database
    /// Five workers died while they held it, three of them while they did nothing else.
    case poison
    /// 401, or no credential.
    case credential
    /// 429.
    case rateLimited = "rate_limited"
    /// What is stored changed while the API was asked whether it still holds.
    case changed
    case shutdown
}
