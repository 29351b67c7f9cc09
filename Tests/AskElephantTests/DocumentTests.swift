import AskElephant
import Testing

@Suite struct DocumentTests {
    @Test func validBytesAreLeftAlone() {
        #expect(UTF8Repair.repair([]) == nil)
        #expect(UTF8Repair.repair(Array("äöü 漢字 😀 \u{FFFD}".utf8)) == nil)
    }

    @Test(
        arguments: [
            ([0x61, 0xFF, 0x62], "a\u{FFFD}b"), ([0x61, 0x00], "a\u{FFFD}"), ([0xC3], "\u{FFFD}"),
            ([0xED, 0xA0, 0x80], "\u{FFFD}\u{FFFD}\u{FFFD}"), ([0xC0, 0x80, 0x00], "\u{FFFD}\u{FFFD}\u{FFFD}"),
            ([0xF0, 0x9F, 0x98, 0x41], "\u{FFFD}A"),
        ] as [([UInt8], String)])
    func badBytesAreReplaced(bytes: [UInt8], expected: String) {
        #expect(UTF8Repair.repair(bytes) == Array(expected.utf8))
    }

    @Test(arguments: [UInt64](1...20)) func anyBytesBecomeTextWithoutNUL(seed: UInt64) {
        var random = SeededRandom(seed: seed)
        for _ in 0..<200 {
            let bytes = (0..<Int.random(in: 0..<40, using: &random)).map { _ in
                UInt8.random(in: 0...255, using: &random)
            }
            let repaired = UTF8Repair.repair(bytes) ?? bytes
            #expect(String(validating: repaired, as: UTF8.self) != nil, "seed \(seed): \(bytes)")
            #expect(!repaired.contains(0), "seed \(seed): \(bytes)")
        }
    }

    @Test func transcriptIsCutAndTheOrderMarkSkipped() {
        let document = Document(body: [0xEF, 0xBB, 0xBF] + Array(" {\"transcript\":\"t\"}".utf8))
        #expect(document?.json == Array(" {\"transcript\":true}".utf8))
        #expect(document?.transcript == Array("t".utf8))
        #expect(document?.repaired == false)
    }

    @Test func repairedBytesAreNoted() {
        let document = Document(body: Array("{\"transcript\":\"".utf8) + [0xFF] + Array("\"}".utf8))
        #expect(document?.transcript == Array("\u{FFFD}".utf8))
        #expect(document?.repaired == true)
    }

    @Test(arguments: ["", " ", "[]", "null", "<html>", "\u{FEFF}", "\u{FEFF}\u{FEFF}{}", "\u{A0}{}"])
    func whatIsNoObjectIsNoDocument(text: String) {
        #expect(Document(body: Array(text.utf8)) == nil)
    }
}
