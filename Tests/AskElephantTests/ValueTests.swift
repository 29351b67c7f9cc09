import AskElephant
import Testing

@Suite struct ValueTests {
    @Test func expandsHaveTheNamesAndTheOrderOfTheAPI() {
        let names = ["companies", "contacts", "owner", "action_items", "signals", "transcript", "media_url", "tags"]
        #expect(Expand.allCases.map(\.rawValue) == names)
    }

    @Test func onlyThreeExpandsNeedAScope() {
        let needed = Expand.allCases.compactMap { part in part.scope.map { "\(part.rawValue) \($0.rawValue)" } }
        #expect(needed == ["companies companies:read", "contacts contacts:read", "owner users:read"])
    }

    @Test func scopesHaveTwoOrThreeSegments() {
        #expect(Scope(rawValue: "engagements:private:read") == .engagementsPrivateRead)
        #expect(Scope(rawValue: "engagements:delete") == nil)
        #expect(Scope.allCases.allSatisfy { (2...3).contains($0.rawValue.split(separator: ":").count) })
    }

    @Test(arguments: ["ngmt_0", "ngmt_aZ09", "ngmt_" + String(repeating: "x", count: 64)])
    func wellFormedIdIsTaken(text: String) {
        #expect(EngagementID(text)?.rawValue == text)
    }

    @Test(arguments: [
        "", "ngmt_", "ngmt", "NGMT_a", " ngmt_a", "ngmt_a ", "ngmt_a\n", "ngmt_../../v2/users?x=", "ngmt_a_b", "ngmt_ä",
        "ngmt_a\u{301}", "ngmt_a\0", "cmp_a", "ngmt_" + String(repeating: "x", count: 65),
    ])
    func malformedIdIsRefused(text: String) {
        #expect(EngagementID(text) == nil)
    }

    @Test func secretIsNotPrintedByAnyRoute() throws {
        let secret = Secret("hunter2")
        let credential = try #require(Credential(Secret("sk-apik_1.hunter2")))
        var printed = "\(secret) \(credential) " + String(reflecting: secret) + String(reflecting: credential)
        dump(secret, to: &printed)
        dump(credential, to: &printed)
        dump(["key": secret], to: &printed)
        #expect(!printed.contains("hunter2"))
        #expect(printed.contains("<redacted>"))
        #expect(secret.reveal() == "hunter2")
    }

    @Test func keyIsSentAsItIsAndATokenAsBearer() {
        #expect(Credential(Secret("sk-apik_1.x"))?.authorizationHeader == "sk-apik_1.x")
        #expect(Credential(Secret("eyJhbGciOi"))?.authorizationHeader == "Bearer eyJhbGciOi")
    }

    @Test(arguments: [" sk-apik_1.x", "sk-apik_1.x\n", "\r\n\tsk-apik_1.x \r\n"])
    func whiteSpaceAroundACredentialIsTrimmed(text: String) {
        #expect(Credential(Secret(text))?.authorizationHeader == "sk-apik_1.x")
        #expect(Credential(Secret(text))?.token.reveal() == "sk-apik_1.x")
    }

    @Test(arguments: ["", " \n", "a\nb", "a\r\nX-Evil: 1", "a\0", "schlüssel", "\u{FEFF}key", "a\u{7F}"])
    func unusableCredentialIsRefused(text: String) {
        #expect(Credential(Secret(text)) == nil)
    }
}
