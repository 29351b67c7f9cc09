/// How the simulator behaves where the contract leaves it open: the rows of contract section 17, and those unknowns
/// of section 16 that concern an answer of the engagement routes.
///
/// The first case of each is the default. Where a default is `varied`, the shape follows from the engagement's id
/// and stays within what the contract allows. The row "raw API key / Bearer" has one setting and so no switch (U-30);
/// the webhook row (U-22 to U-25) belongs to whoever sends webhooks, and the timeline (U-17, U-18) is not simulated.
/// Unknowns that are states of the workspace rather than habits of the API are moved through `World`: deletion as 404
/// or 410 (U-19), unfinished engagements (U-20), changes that leave `updated_at` alone (U-21), large documents (U-27).
package struct Switches: Sendable, Equatable {
    // Refusals.
    package var forbiddenStyle = ForbiddenStyle.generic
    package var missingExpandScope = MissingExpandScope.refuse
    package var privateWithoutScope = PrivateWithoutScope.forbidden
    package var adminAndPrivate = AdminAndPrivate.opens
    package var challenge = Challenge.always
    package var badParameter = BadParameter.unprocessable
    package var expandForm = ExpandForm.lenient
    package var errorMediaType = ErrorMediaType.problem
    package var problemType = ProblemType.named
    package var retryAfter = RetryAfter.seconds
    package var fault = Fault.none
    /// A scope that the part needs besides the documented ones; it need not be one that any page names (section 3).
    package var extraGates: [SimPart: String] = [:]

    // Answers.
    package var conditionalGet = ConditionalGet.ignored
    package var apiVersion = APIVersion.v2
    package var withoutValue = WithoutValue.varied
    package var emptyParts = EmptyParts.asTyped
    package var nested = Nested.varied
    package var crmKeys = CRMKeys.crmObjectID
    package var enumValues = EnumValues.varied
    package var timestamps = Timestamps.varied

    // The list.
    package var listLimit = ListLimit.refused
    package var cursors = Cursors.lasting
    package var listActionItems = ListActionItems.delivered

    package init() {}
}
