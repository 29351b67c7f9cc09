import FoundationEssentials

/// What is used of a webhook (contract section 12.2): an event is a bell, so of its payload only the id is taken.
///
/// Everything here is plain ASCII of bounded length; what is not, in a field that nothing depends on, is left out.
package struct WebhookEvent: Sendable, Equatable {
    /// What follows from it.
    package enum Effect: String, Sendable, CaseIterable {
        /// The engagement is fetched.
        case enrich
        /// The engagement is fetched, and is gone if the API says so too.
        case deleted
        /// The engagements that hold it are fetched.
        case contact, company, tag
        case ignored
    }

    /// The message's, which a repeated delivery has too.
    package let messageID: String
    package let eventID: String?
    package let type: String
    package let workspaceID: String?
    package let objectID: String?
    package let createdAt: String?
    package let effect: Effect

    /// Nil if the body is no JSON object.
    package init?(messageID: String, body: [UInt8]) {
        guard let envelope = try? JSONDecoder().decode(Envelope.self, from: Data(body)) else { return nil }
        self.messageID = messageID
        eventID = envelope.id.flatMap { Self.plain($0, atMost: 128) }
        type = envelope.type.flatMap { Self.plain($0, atMost: 128) } ?? "unknown"
        workspaceID = envelope.workspaceID.flatMap { Self.plain($0, atMost: 128) }
        createdAt = envelope.createdAt.flatMap { Self.plain($0, atMost: 40) }
        objectID = envelope.objectID.flatMap { Self.plain($0, atMost: 128) }
        effect = Self.effect(of: type, on: objectID)
    }

    private static func effect(of type: String, on object: String?) -> Effect {
        guard let object else { return .ignored }
        switch type {
        case "v1.engagement.created", "v1.engagement.updated", "v1.engagement.transcript_timeline.completed":
            return EngagementID(object) == nil ? .ignored : .enrich
        case "v1.engagement.deleted": return EngagementID(object) == nil ? .ignored : .deleted
        case "v1.contact.created", "v1.contact.updated", "v1.contact.deleted": return .contact
        case "v1.company.created", "v1.company.updated", "v1.company.deleted": return .company
        case "v1.tag.created", "v1.tag.updated", "v1.tag.deleted": return .tag
        default: return .ignored
        }
    }

    private static func plain(_ text: String, atMost count: Int) -> String? {
        let isPlain = (1...count).contains(text.utf8.count) && text.utf8.allSatisfy { (0x21...0x7E).contains($0) }
        return isPlain ? text : nil
    }

    /// A field of another type than is documented counts as absent (U-22).
    private struct Envelope: Decodable {
        var id: String?
        var type: String?
        var workspaceID: String?
        var createdAt: String?
        var objectID: String?

        private enum Key: String, CodingKey {
            case id, type, data, object
            case workspaceID = "workspace_id"
            case createdAt = "created_at"
        }

        init(from decoder: any Decoder) throws {
            let fields = try decoder.container(keyedBy: Key.self)
            id = try? fields.decode(String.self, forKey: .id)
            type = try? fields.decode(String.self, forKey: .type)
            workspaceID = try? fields.decode(String.self, forKey: .workspaceID)
            createdAt = try? fields.decode(String.self, forKey: .createdAt)
            let data = try? fields.nestedContainer(keyedBy: Key.self, forKey: .data)
            let object = try? data?.nestedContainer(keyedBy: Key.self, forKey: .object)
            objectID = try? object?.decode(String.self, forKey: .id)
        }
    }
}
