import FoundationEssentials

/// One page of the list of engagements (contract section 10): of each the id and when it changed last, nothing else.
package struct EngagementPage: Sendable, Equatable {
    package struct Entry: Sendable, Equatable {
        package let id: EngagementID
        /// Nil where the source gives none, or none that is ISO 8601.
        package let updatedAt: UpdateTime?
        package let isPrivate: Bool

        package init(id: EngagementID, updatedAt: UpdateTime?, isPrivate: Bool = false) {
            self.id = id
            self.updatedAt = updatedAt
            self.isPrivate = isPrivate
        }
    }

    package let entries: [Entry]
    package let hasMore: Bool
    /// Where the next page begins, if there is one and it is said.
    package let next: String?

    package init(entries: [Entry], hasMore: Bool, next: String?) {
        self.entries = entries
        self.hasMore = hasMore
        self.next = next
    }

    /// Nil if that is no page. An entry without an id is passed over.
    package init?(_ json: [UInt8]) {
        guard let body = try? JSONDecoder().decode(Body.self, from: Data(json)) else { return nil }
        entries = body.data.compactMap { item in
            item.id.flatMap(EngagementID.init).map {
                Entry(id: $0, updatedAt: item.updatedAt.flatMap(UpdateTime.init), isPrivate: item.isPrivate ?? false)
            }
        }
        hasMore = body.hasMore
        next = body.next.flatMap { $0.isEmpty ? nil : $0 }
    }

    private struct Body: Decodable {
        var data: [Item]
        var hasMore: Bool
        var next: String?

        private enum CodingKeys: String, CodingKey {
            case data
            case hasMore = "has_more"
            case next = "next_cursor"
        }
    }

    private struct Item: Decodable {
        var id: String?
        var updatedAt: String?
        var isPrivate: Bool?

        private enum CodingKeys: String, CodingKey {
            case id
            case updatedAt = "updated_at"
            case isPrivate = "is_private"
        }

        init(from decoder: any Decoder) {
            let fields = try? decoder.container(keyedBy: CodingKeys.self)
            id = try? fields?.decode(String.self, forKey: .id)
            updatedAt = try? fields?.decode(String.self, forKey: .updatedAt)
            isPrivate = try? fields?.decode(Bool.self, forKey: .isPrivate)
        }
    }
}

/// When an engagement changed last, as the source wrote it and as a point in time.
package struct UpdateTime: Sendable, Hashable, Comparable {
    /// As it is to be sent and stored.
    package let text: String
    private let date: Date

    /// Nil for what is not ISO 8601.
    package init?(_ text: String) {
        guard let date = try? Date.ISO8601FormatStyle().parse(text) else { return nil }
        self.text = text
        self.date = date
    }

    /// So long before this, in whole seconds.
    package func earlier(by seconds: Int64) -> UpdateTime {
        let date = Date(timeIntervalSince1970: (date.timeIntervalSince1970 - Double(seconds)).rounded(.down))
        return UpdateTime(text: date.formatted(Date.ISO8601FormatStyle()), date: date)
    }

    package func seconds(since other: UpdateTime) -> Double { date.timeIntervalSince(other.date) }

    /// In whole seconds.
    package init(secondsSince1970 seconds: Double) {
        date = Date(timeIntervalSince1970: seconds.rounded(.down))
        text = date.formatted(Date.ISO8601FormatStyle())
    }

    /// This host's.
    package static var now: UpdateTime {
        let date = Date()
        return UpdateTime(text: date.formatted(Date.ISO8601FormatStyle()), date: date)
    }

    private init(text: String, date: Date) {
        self.text = text
        self.date = date
    }

    package static func == (left: Self, right: Self) -> Bool { left.date == right.date }
    package static func < (left: Self, right: Self) -> Bool { left.date < right.date }
    package func hash(into hasher: inout Hasher) { hasher.combine(date) }
}
