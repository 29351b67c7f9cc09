import FoundationEssentials
import Testing

@testable import Simulator

@Suite struct SimulatorList {
    @Test(arguments: ["asc", "desc"], [true, false])
    func pagesNeitherSkipNorRepeat(_ order: String, _ repeatsParameters: Bool) async throws {
        let world = makeWorld()
        let ids = (0..<57).map(world.id)
        world.register(ids)
        let parameters = "limit=10&order_by=updated_at:\(order)&expand=tags"
        var (found, query, pages): ([String], String, Int) = ([], parameters, 0)
        repeat {
            let page = try await world.list(query).json
            found += try #require(page["data"]?.items?.compactMap { $0["tags"] == nil ? nil : $0["id"]?.text })
            pages += 1
            #expect(page["has_more"] == .boolean(pages < 6))
            guard let cursor = page["next_cursor"]?.text else { break }
            let escaped = cursor.split(separator: "+").joined(separator: "%2B").replacing("=", with: "%3D")
            query = "cursor=\(escaped)&" + (repeatsParameters ? parameters : "limit=10&expand=tags")
        } while pages < 10
        let sorted = ids.sorted { world.truth($0).updatedAt < world.truth($1).updatedAt }
        #expect(found == (order == "asc" ? sorted : sorted.reversed()))
    }

    @Test func boundsAreStrictOrInclusiveAsDocumented() async throws {
        let world = makeWorld { $0.timestamps = .wholeSeconds }
        world.register((0..<20).map(world.id))
        let times = (0..<20).map { world.truth(world.id($0)).updatedAt }.sorted()
        let (low, high) = (times[5].text(), times[10].text())
        for (filters, count) in [("gt", 14), ("gte", 15), ("lt", 5), ("lte", 6)].map({ ("[\($0.0)]=\(low)", $0.1) }) {
            let page = try await world.list("limit=100&filter%5Bupdated_at%5D\(filters)").json
            #expect(page["data"]?.items?.count == count, "\(filters)")
        }
        let page = try await world.list("filter[updated_at][gte]=\(low)&filter[updated_at][lt]=\(high)").json
        #expect(page["data"]?.items?.count == 5)
    }

    @Test func aChangedEngagementMovesToTheEnd() async throws {
        let world = makeWorld()
        world.register((0..<30).map(world.id))
        let first = try await world.list("").json
        #expect(first["data"]?.items?.count == 25, "the default limit")
        let last = world.id(11)
        world.setVersion(last, 500_000)
        #expect(try await world.list("limit=1").json["data"]?.items?.first?["id"]?.text == last)
    }

    @Test(arguments: ["limit=0", "cursor=x", "order_by=title", "filter[updated_at][gt]=tomorrow", "search=x"])
    func whatCannotBeServedIsRefused(_ query: String) async throws {
        #expect(try await makeWorld().list(query).status == 422)
    }
}
