import AskElephant
import Testing

@Suite struct EngagementListTests {
    /// Everything is repeated with the cursor, and escaped.
    @Test func aRequestSaysAllThatItMeans() {
        let list = EngagementList(
            from: UpdateTime("2026-01-01T00:00:00+01:00"), until: UpdateTime("2026-02-01T00:00:00Z"), cursor: "a+b=/é&")
        #expect(
            list.pathAndQuery == "/v2/engagements?limit=100&order_by=updated_at:asc"
                + "&filter%5Bupdated_at%5D%5Bgte%5D=2026-01-01T00:00:00%2B01:00"
                + "&filter%5Bupdated_at%5D%5Blt%5D=2026-02-01T00:00:00Z&cursor=a%2Bb%3D%2F%C3%A9%26")
        #expect(EngagementList().pathAndQuery == "/v2/engagements?limit=100&order_by=updated_at:asc")
    }

    @Test func ofAPageTheIDsAndTimesAreRead() throws {
        let page = try #require(
            Self.page(
                """
                {"object": "list", "data": [{"id": "ngmt_1", "updated_at": "2026-01-01T00:00:00Z", "title": "x"}, {"id": "ngmt_2"},
                 {"id": "ngmt_3", "updated_at": 7}, {"id": 8}, {}, null, 9, {"id": "cnt_1"}], "has_more": true, "next_cursor": "c"}
                """))
        #expect(page.entries.map(\.id.rawValue) == ["ngmt_1", "ngmt_2", "ngmt_3"])
        #expect(page.entries.map(\.updatedAt?.text) == ["2026-01-01T00:00:00Z", nil, nil])
        #expect(page.hasMore && page.next == "c")
    }

    @Test(
        arguments: [
            (#"{"data": [], "has_more": false, "next_cursor": null}"#, false, nil),
            (#"{"data": [], "has_more": true, "next_cursor": null}"#, true, nil),
            (#"{"data": [], "has_more": true}"#, true, nil),
            (#"{"data": [], "has_more": true, "next_cursor": ""}"#, true, nil),
            (#"{"data": [], "has_more": true, "next_cursor": "c"}"#, true, "c"),
        ] as [(String, Bool, String?)])
    func whetherThereIsMoreIsSaidApartFromWhere(text: String, hasMore: Bool, next: String?) {
        #expect(Self.page(text) == EngagementPage(entries: [], hasMore: hasMore, next: next))
    }

    @Test(arguments: [
        "{}", "[]", #"{"data": {}, "has_more": false}"#, #"{"data": []}"#, #"{"data": null, "has_more": false}"#,
    ])
    func whatIsNoPageIsNone(text: String) {
        #expect(Self.page(text) == nil)
    }

    @Test func timesAreComparedAsTimes() throws {
        let whole = try #require(UpdateTime("2026-01-01T00:00:00Z"))
        let part = try #require(UpdateTime("2026-01-01T00:00:00.000250Z"))
        let elsewhere = try #require(UpdateTime("2026-01-01T01:00:00+01:00"))
        #expect(whole < part && whole == elsewhere)
        #expect(part.earlier(by: 300).text == "2025-12-31T23:55:00Z")
        for text in ["", "tomorrow", "infinity", "2026-13-01T00:00:00Z", "2026-01-01"] {
            #expect(UpdateTime(text) == nil)
        }
    }

    private static func page(_ text: String) -> EngagementPage? { EngagementPage(Array(text.utf8)) }
}
