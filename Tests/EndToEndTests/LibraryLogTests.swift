import Enrichment
import Logging
import Synchronization
import TestKit
import Testing

@testable import Serving
@testable import engagement_worker

/// What libraries say by swift-log, as records of ours.
struct LibraryLogTests {
    @Test func itsWordsStandInARecordAndItsMetadataDoesNot() {
        let recorded = RecordedLog()
        var logger = LibraryLog(recorded.log).logger("a.library")
        logger[metadataKey: "always"] = "CANARY-1"
        logger.warning("it stumbled", metadata: ["path": "CANARY-2"])
        let record = recorded.records(of: .library).first
        #expect(recorded.records.count == 1 && record?.level == .warning)
        #expect(record?.fields == [.library: "a.library", .text: "it stumbled", .n: 1])
        #expect(!"\(recorded.records)".contains("CANARY"))
    }

    /// Whether a person must act is said by our own records.
    @Test(
        arguments: [
            (.trace, .debug), (.debug, .debug), (.info, .debug), (.notice, .info), (.warning, .warning),
            (.error, .warning),
            (.critical, .warning),
        ] as [(Logger.Level, LogLevel)])
    func itsLevelsAreLessThanOurs(theirs: Logger.Level, ours: LogLevel) {
        let recorded = RecordedLog()
        LibraryLog(recorded.log).logger("a.library").log(level: theirs, "said")
        #expect(recorded.records.map(\.level) == [ours])
        #expect(Logger.Level.allCases.count == 7)
    }

    /// What is not written is not put together either.
    @Test(
        arguments: [
            (.debug, 7), (.info, 4), (.notice, 3), (.warning, 3), (.error, 0),
        ] as [(LogLevel, Int)])
    func whatIsBelowTheLevelIsNotWritten(least: LogLevel, count: Int) {
        let written = Mutex(0)
        let log = Log(minimumLevel: least) { _ in written.withLock { $0 += 1 } }
        let logger = LibraryLog(log).logger("a.library")
        for level in Logger.Level.allCases { logger.log(level: level, "said") }
        #expect(written.withLock(\.self) == count)
        if least == .warning { logger.info("\(unwanted())") }
    }

    private func unwanted() -> String {
        Issue.record("evaluated below the level")
        return ""
    }

    @Test func longWordsAreCutAndWildOnesForgeNoLine() {
        let recorded = RecordedLog()
        let logger = LibraryLog(recorded.log).logger("a.library")
        let exact = String(repeating: "é", count: LibraryLog.longestText)
        for text in [exact, exact + "é", "a\n{\"event\":\"job.done\"}"] { logger.warning("\(text)") }
        let texts = recorded.records.map { $0.fields[.text] }
        #expect(texts == [.string(exact), .string(exact + "…"), "a\n{\"event\":\"job.done\"}"])
        let line = String(decoding: LogEncoder.json.encode(recorded.records[2]), as: UTF8.self)
        #expect(line.split(whereSeparator: \.isNewline).count == 1 && line.contains(#""event":"library.log""#))
    }

    /// A library that says the same for each connection fills no disk; what was left out is counted.
    @Test func onlySoManyAMinuteAreWritten() {
        let recorded = RecordedLog()
        let clock = Mutex(ContinuousClock.now)
        let library = LibraryLog(recorded.log) { clock.withLock(\.self) }
        for number in 0..<100 { library.logger("a.library").warning("\(number)") }
        #expect(recorded.records.count == LibraryLog.mostAMinute)
        // Each level has its own share.
        library.logger("a.library").notice("another")
        #expect(recorded.records.last?.fields[.text] == "another")
        clock.withLock { $0 += .seconds(60) }
        library.logger("another.library").warning("again")
        library.logger("another.library").warning("and again")
        #expect(recorded.records.suffix(2).map { $0.fields[.n] } == [71, 1])
    }

    /// In a process of its own, since swift-log takes one for each process and keeps it.
    @Test func aLoggerThatALibraryMakesItselfWritesToOurLog() async throws {
        await #expect(processExitsWith: .success) {
            let recorded = RecordedLog()
            Setup.foldLibraries(into: recorded.log)
            Logger(label: "its.own").error("it stumbled")
            let fields = recorded.records(of: .library).map(\.fields)
            try #require(fields == [[.library: "its.own", .text: "it stumbled", .n: 1]])
        }
    }
}
