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
