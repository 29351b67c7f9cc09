/// What each switch may be set to. The raw values are the words of `--switch` and of the control endpoint.
extension Switches {
    /// Whether and where a 403 names a scope (U-1). All but the first are invented for testing.
    package enum ForbiddenStyle: String, Sendable, CaseIterable {
        case generic
        case scopeInDetail = "scope_in_detail"
        case scopeInErrors = "scope_in_errors"
        case scopeInChallenge = "scope_in_challenge"
        /// Lists what the request needs, held or not.
        case allRequiredInDetail = "all_required_in_detail"
        /// In the order base scope, private scope, parts.
        case firstMissingInDetail = "first_missing_in_detail"
        case notAProblem = "not_a_problem"
    }

    /// U-3.
    package enum MissingExpandScope: String, Sendable, CaseIterable {
        case refuse
        case leaveOut = "leave_out"
    }

    /// U-4: 403, or a 404 that gives no hint of what is there.
    package enum PrivateWithoutScope: String, Sendable, CaseIterable {
        case forbidden
        case notFound = "not_found"
    }

    /// U-31: whether `workspace:admin` alone reads private engagements.
    package enum AdminAndPrivate: String, Sendable, CaseIterable {
        case opens
        case staysClosed = "stays_closed"
    }

    /// Whether a 401 challenges: documented for bearer tokens, unknown for API keys (contract section 2).
    package enum Challenge: String, Sendable, CaseIterable {
        case always
        case bearerOnly = "bearer_only"
        case never
    }

    /// U-6, U-14: 422 or 400, or as if it had not been sent.
    package enum BadParameter: String, Sendable, CaseIterable {
        case unprocessable
        case badRequest = "bad_request"
        case ignored
    }

    /// U-5: `strict` refuses escaped commas, repeated keys, repeated names and an empty list.
    package enum ExpandForm: String, Sendable, CaseIterable { case lenient, strict }

    package enum ErrorMediaType: String, Sendable, CaseIterable { case problem, json, html }

    /// U-29.
    package enum ProblemType: String, Sendable, CaseIterable { case named, unseen, absent }

    /// U-8, of 429 and of the fault `unavailable`.
    package enum RetryAfter: String, Sendable, CaseIterable {
        case seconds
        case httpDate = "http_date"
        case missing, garbage, zero
    }

    /// What befalls every answer, the credential's included: U-26, U-32, and a 403 for no want of scopes (section 8).
    package enum Fault: String, Sendable, CaseIterable {
        case none
        /// 500 with a problem body.
        case internalError = "internal_error"
        /// 502 with a proxy's HTML page.
        case badGateway = "bad_gateway"
        /// 503 with `Retry-After`.
        case unavailable
        /// 504 without a body.
        case gatewayTimeout = "gateway_timeout"
        /// A refusal whatever the credential holds.
        case forbidden
        /// 302 to another host.
        case redirect
        /// 200 with an HTML page.
        case page
        /// The right answer, closed half-way.
        case cutOff = "cut_off"
    }

    /// U-7. `tagPerResponse` changes the tag with each answer that carries a `media_url`.
    package enum ConditionalGet: String, Sendable, CaseIterable {
        case ignored, honoured
        case weakTags = "weak_tags"
        case tagPerResponse = "tag_per_response"
    }

    /// U-13: the value of `X-Api-Version`.
    package enum APIVersion: String, Sendable, CaseIterable { case v2, unseen, absent }

    /// U-9: `varied` leaves out, except that fields typed "or null" are null in some documents.
    package enum WithoutValue: String, Sendable, CaseIterable { case varied, absent, null }

    /// U-9, U-20: a part that was asked for and has nothing in it. By type it is an empty list, or null where typed
    /// "or null"; `blank` has an empty string there.
    package enum EmptyParts: String, Sendable, CaseIterable {
        case asTyped = "as_typed"
        case null, absent, blank
    }

    /// U-10: the items of lists and the owner. `varied` has keys that no page documents in some documents.
    package enum Nested: String, Sendable, CaseIterable {
        case varied, plain
        case unknownKeys = "unknown_keys"
        case idsOnly = "ids_only"
        /// Names and texts are numbers.
        case wrongTypes = "wrong_types"
        /// Each list begins with an item that is no object.
        case strayItems = "stray_items"
    }

    /// U-11.
    package enum CRMKeys: String, Sendable, CaseIterable {
        case crmObjectID = "crm_object_id"
        case id
        case extraKeys = "extra_keys"
    }

    /// U-12: `varied` has an unseen engagement type in one document of a hundred.
    package enum EnumValues: String, Sendable, CaseIterable { case varied, documented, unseen }

    /// `varied`: whole seconds in most documents, milliseconds in the others.
    package enum Timestamps: String, Sendable, CaseIterable {
        case varied
        case wholeSeconds = "whole_seconds"
        case milliseconds
    }

    /// U-14: a `limit` above 100, as a bad parameter or as 100.
    package enum ListLimit: String, Sendable, CaseIterable { case refused, capped }

    /// U-15: `expired` refuses every cursor; `by_id` names an engagement, and means what comes after wherever that is by then.
    package enum Cursors: String, Sendable, CaseIterable {
        case lasting, expired
        case byID = "by_id"
    }

    /// U-16: whether the list knows `expand=action_items`.
    package enum ListActionItems: String, Sendable, CaseIterable { case delivered, refused }
}
