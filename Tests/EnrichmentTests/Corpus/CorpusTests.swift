import Enrichment
import Simulator
import TestKit
import Testing

/// The whole corpus of hostile input through one worker, in one go, with honest engagements among it.
///
/// What a case is, and how it has to end, stands in the tables beside this file.
@Suite(.serialized, .timeLimit(.minutes(5))) struct CorpusTests {
    @Test func nothingCrashesForgesOrHarmsANeighbour() async throws {
        let cases = CorpusSyntax.cases + CorpusFields.cases + CorpusText.cases + CorpusParts.cases
        #expect(cases.count + CorpusIDs.refused.count >= 400)
        try await HostileLab.run(cases, refusing: CorpusIDs.refused)
        printFigure(
            "corpus: \(cases.count) documents, \(CorpusIDs.refused.count) ids: all as they should be, no neighbour harmed"
        )
    }
}
