/// How the simulator behaves where the contract leaves it open: one enum for each row of contract section 17.
///
/// The first case of each is the default. Where a default is `varied`, the shape follows from the engagement's id
/// and stays within what the contract allows. The row "raw API key / Bearer" has one setting and so no switch;
/// the webhook row belongs to whoever sends webhooks, which is not the HTTP API.
package struct Switches: Sendable, Equatable {
    package var forbiddenStyle = ForbiddenStyle.generic
    package var missingExpandScope = MissingExpandScope.refuse
    package var privateWithoutScope = PrivateWithoutScope.forbidden
    package var badParameter = BadParameter.unprocessable
    package var errorMediaType = ErrorMediaType.problem
    package var conditionalGet = ConditionalGet.ignored
    package var retryAfter = RetryAfter.seconds
    package var withoutValue = WithoutValue.varied
    package var crmKeys = CRMKeys.crmObjectID
    package var enumValues = EnumValues.varied
    package var timestamps = Timestamps.varied

    package init() {}

    /// Whether and where a 403 names a scope (U-1). All but the first are invented for testing.
    package enum ForbiddenStyle: Sendable, CaseIterable {
        case generic, scopeInDetail, scopeInErrors, scopeInChallenge
        /// Lists what the request needs, held or not.
        case allRequiredInDetail
        case firstMissingInDetail
        case notAProblem
    }

    /// U-3.
    package enum MissingExpandScope: Sendable, CaseIterable { case refuse, leaveOut }

    /// U-4: 403 or 404.
    package enum PrivateWithoutScope: Sendable, CaseIterable { case forbidden, notFound }

    /// U-6, U-14: 422 or 400, or as if it had not been sent.
    package enum BadParameter: Sendable, CaseIterable { case unprocessable, badRequest, ignored }

    package enum ErrorMediaType: Sendable, CaseIterable { case problem, json, html }

    /// U-7. `tagPerResponse` changes the tag with each answer that carries a `media_url`.
    package enum ConditionalGet: Sendable, CaseIterable {
        case ignored, honoured, weakTags, tagPerResponse
    }

    /// U-8.
    package enum RetryAfter: Sendable, CaseIterable { case seconds, httpDate, missing, garbage, zero }

    /// U-9: `varied` leaves out, except that fields typed "or null" are null in some documents.
    package enum WithoutValue: Sendable, CaseIterable { case varied, absent, null }

    /// U-11.
    package enum CRMKeys: Sendable, CaseIterable { case crmObjectID, id, extraKeys }

    /// U-12: `varied` has an unseen engagement type in one document of a hundred.
    package enum EnumValues: Sendable, CaseIterable { case varied, documented, unseen }

    /// `varied`: whole seconds in most documents, milliseconds in the others.
    package enum Timestamps: Sendable, CaseIterable { case varied, wholeSeconds, milliseconds }
}

/// How much there is of everything.
package struct SimulatorSettings: Sendable, Equatable {
    /// Length of a transcript; one ends with the sentence in which the drawn length is reached.
    package var transcriptBytes: ClosedRange<Int> = 200...4_096
    /// How many companies, contacts, action items, signals and tags each engagement has, drawn for each list.
    package var children: ClosedRange<Int> = 0...5
    /// The share of engagements whose first version is not finished.
    package var unfinishedPercent = 2
    /// How many of each there are in the workspace; engagements share them.
    package var contactPool = 5_000
    package var companyPool = 500
    package var userPool = 50
    package var tagPool = 30

    package init() {}
}
