/// How a document looks where the contract leaves a choice. It never changes what the document says.
struct Shape: Sendable {
    /// For fields that are not typed "or null" (contract section 4: normally left out).
    let writesNull: Bool
    /// For fields that are, such as a contact's `first_name`.
    let writesNullWhereTyped: Bool
    /// Whole seconds as `.000Z`.
    let writesMilliseconds: Bool
    /// Keys that no page documents, in the document itself.
    let hasUnknownKeys: Bool
    /// The same in what is nested.
    let hasUnknownNestedKeys: Bool
    /// Lists with nothing in them are left out of nested objects.
    let leavesOutEmptyLists: Bool
    let crmKeys: Switches.CRMKeys
    let emptyParts: Switches.EmptyParts
    let nested: Switches.Nested

    init(_ draws: Draws, _ switches: Switches) {
        var random = draws.stream(.shape)
        let prefersNull = random.chance(percent: 50)
        let prefersMilliseconds = random.chance(percent: 30)
        writesNull = switches.withoutValue == .null
        writesNullWhereTyped = writesNull || (switches.withoutValue == .varied && prefersNull)
        writesMilliseconds =
            switches.timestamps == .milliseconds
            || (switches.timestamps == .varied && prefersMilliseconds)
        hasUnknownKeys = random.chance(percent: 40)
        leavesOutEmptyLists = random.chance(percent: 30)
        hasUnknownNestedKeys =
            switches.nested == .unknownKeys || (switches.nested == .varied && hasUnknownKeys)
        crmKeys = switches.crmKeys
        emptyParts = switches.emptyParts
        nested = switches.nested
    }
}
