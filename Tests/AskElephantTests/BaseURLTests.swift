import AskElephant
import Testing

@Suite struct BaseURLTests {
    @Test(arguments: [
        ("https://app.askelephant.ai/api", "https://app.askelephant.ai/api"),
        ("https://app.askelephant.ai/api/", "https://app.askelephant.ai/api"),
        ("HTTPS://Example.com:8443//", "https://example.com:8443"), ("https://a", "https://a"),
        ("http://localhost:8080/api", "http://localhost:8080/api"), ("http://127.0.0.1", "http://127.0.0.1"),
        ("http://[::1]:80/x", "http://[::1]:80/x"), ("https://[2001:db8::1]", "https://[2001:db8::1]"),
    ])
    func addressIsTakenAndTidied(text: String, expected: String) throws {
        #expect(try BaseURL(text).description == expected)
    }

    @Test(arguments: [
        ("", BaseURL.Mistake.notHTTP), ("app.askelephant.ai", .notHTTP), ("ftp://a", .notHTTP),
        ("file:///etc", .notHTTP),
        ("https:/a", .notHTTP), ("https://", .noHost), ("https:///api", .noHost), ("https://:80", .noHost),
        ("https://user:pw@host", .badHost), ("https://a b/", .badHost), ("https://ex\u{e4}mple.com", .badHost),
        ("https://[zz]", .badHost), ("https://a:0", .badPort), ("https://a:65536", .badPort), ("https://a:", .badPort),
        ("https://a:8x", .badPort), ("https://a/?q", .badPath), ("https://a/#f", .badPath), ("https://a/b c", .badPath),
        ("https://a?x=1", .badPath), ("https://a/\n", .badPath),
        ("http://example.com", .insecure), ("http://127.example.com", .insecure),
        ("http://127.0.0.1.evil.com", .insecure),
        ("http://128.0.0.1", .insecure), ("http://localhost.evil.com", .insecure),
    ])
    func mistakeIsNamed(text: String, expected: BaseURL.Mistake) {
        #expect(throws: expected) { try BaseURL(text) }
    }

    @Test func insecureAddressNeedsPermission() throws {
        #expect(try BaseURL("http://example.com", allowInsecure: true).description == "http://example.com")
    }

    @Test func productionAddressIsValid() throws {
        #expect(try BaseURL(BaseURL.production.description) == .production)
    }
}
