import AskElephant
import Foundation
import TestKit
import Testing

@Suite struct WebhookVerifierTests {
    private struct Case: Decodable {
        var name: String
        var now: Int64
        var secrets: [String]
        var headers: [String: String]
        var body: String
        var accepted: Bool
    }

    /// Made and judged by Svix's own library (`Tests/svix-cases`); the first lines are the cases of its own tests.
    @Test func signaturesAreJudgedAsSvixJudgesThem() throws {
        let file = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appending(path: "svix-cases.jsonl")
        let lines = try String(contentsOf: file, encoding: .utf8).split(separator: "\n")
        let cases = try lines.map { try JSONDecoder().decode(Case.self, from: Data($0.utf8)) }
        #expect(cases.count > 500 && cases.count { $0.accepted } > 90)
        for one in cases {
            let verifier = try #require(WebhookVerifier(one.secrets.map { Secret($0) }))
            let verdict = verifier.judge(.init { one.headers[$0] }, of: Array(one.body.utf8), now: one.now)
            #expect((verdict == .valid) == one.accepted, "\(one.name): \(verdict) \(one.headers)")
        }
    }

    private static let documented = WebhookVerifier.Signature(
        id: "msg_p5jXN8AQM9LWM0D4loKWxJek", timestamp: "1614265330",
        signatures: "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=")
    private static let body = Array(#"{"test": 2432232314}"#.utf8)
    private static let verifier = WebhookVerifier([Secret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")])!
    private static let now: Int64 = 1_614_265_330

    /// The vector of contract section 12.4.
    @Test func theDocumentedVectorIsValid() {
        #expect(Self.verifier.judge(Self.documented, of: Self.body, now: Self.now) == .valid)
    }

    @Test(
        arguments: [
            (-301, .tooNew), (-300, .valid), (300, .valid), (301, .tooOld), (1_000_000, .tooOld),
        ] as [(Int64, WebhookVerifier.Verdict)])
    func fiveMinutesEitherWayAreTolerated(seconds: Int64, verdict: WebhookVerifier.Verdict) {
        #expect(Self.verifier.judge(Self.documented, of: Self.body, now: Self.now + seconds) == verdict)
    }

    /// Every change of a bit or a letter that leaves no whole signature.
    @Test func noMutatedSignatureIsTaken() throws {
        var random = SeededRandom(seed: TruthSeed.draw("mutated signatures"))
        var verdicts: [WebhookVerifier.Verdict: Int] = [:]
        for _ in 0..<10_000 {
            var (signature, body) = (Self.documented, Self.body)
            switch Int.random(in: 0..<8, using: &random) {
            case 0: signature.id = Self.mutated(signature.id, &random)
            case 1: signature.timestamp = Self.mutated(signature.timestamp, &random)
            case 2: body[Int.random(in: body.indices, using: &random)] ^= 1 << UInt8.random(in: 0..<8, using: &random)
            case 3:
                body.insert(
                    UInt8.random(in: 0...255, using: &random), at: Int.random(in: 0...body.count, using: &random))
            case 4: body.removeLast(Int.random(in: 1...body.count, using: &random))
            default: signature.signatures = Self.mutated(signature.signatures, &random)
            }
            let verdict = Self.verifier.judge(signature, of: body, now: Self.now)
            verdicts[verdict, default: 0] += 1
            #expect(verdict != .valid, "\(signature) \(String(decoding: body, as: UTF8.self))")
        }
        #expect(verdicts[.forged, default: 0] > 5_000, "\(verdicts)")
    }

    /// Another text than before, by one change of one place. Spaces may be added to signatures, and are not.
    private static func mutated(_ text: String, _ random: inout SeededRandom) -> String {
        let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=,-_".unicodeScalars)
        while true {
            var scalars = Array(text.unicodeScalars)
            let place = Int.random(in: scalars.indices, using: &random)
            switch Int.random(in: 0..<4, using: &random) {
            case 0: scalars[place] = alphabet.randomElement(using: &random)!
            case 1: scalars.remove(at: place)
            case 2: scalars.insert(alphabet.randomElement(using: &random)!, at: place)
            default: scalars.removeLast(scalars.count - place)
            }
            let mutated = String(String.UnicodeScalarView(scalars))
            if mutated != text, Int64(mutated) == nil || Int64(mutated) != Int64(text) { return mutated }
        }
    }

    /// The last letter of 32 bytes in base64 has two bits that mean nothing.
    @Test(arguments: [
        "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OF=", "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE",
    ])
    func aSignatureIsWrittenInOneWay(signatures: String) {
        var signature = Self.documented
        signature.signatures = signatures
        #expect(Self.verifier.judge(signature, of: Self.body, now: Self.now) == .forged)
    }

    @Test(arguments: [
        "", "1614265330.0", " 1614265330", "+1614265330", "0x60383432", "1614265330\n", "99999999999999999999",
        "１６１４２６５３３０",
    ])
    func aTimeIsDigits(timestamp: String) {
        var signature = Self.documented
        signature.timestamp = timestamp
        #expect(Self.verifier.judge(signature, of: Self.body, now: Self.now) == .unsigned)
    }

    @Test(arguments: ["", "msg 1", "msg_é", "msg_\u{0}", String(repeating: "m", count: 257)])
    func anIDIsPlain(id: String) {
        var signature = Self.documented
        signature.id = id
        #expect(Self.verifier.judge(signature, of: Self.body, now: Self.now) == .unsigned)
    }

    @Test(arguments: [[], [""], ["whsec_"], ["whsec_no base64!"], ["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "?"]])
    func aSecretIsBase64(secrets: [String]) {
        #expect(WebhookVerifier(secrets.map { Secret($0) }) == nil)
    }
}
