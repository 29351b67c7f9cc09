/// Writes an engagement as the API would: contract sections 4 and 5.
struct Renderer {
    let shape: Shape

    /// The base fields and the given parts as one object.
    ///
    /// - Parameter mediaSignature: makes each signed address another one. It stays out of the digest.
    /// - Returns: the JSON, and a digest of all of it but the media address.
    func document(_ truth: SimEngagement, parts: SimParts, mediaSignature: UInt64) -> (
        json: String, digest: UInt64
    ) {
        var writer = JSONWriter(capacity: 2_048 + (truth.transcript?.utf8.count ?? 0))
        var digest: UInt64 = 0
        writer.object { writer in
            base(&writer, truth)
            expanded(&writer, truth, parts)
            digest = StableHash.of(writer.text)
            if parts.contains(.mediaURL) { media(&writer, truth, mediaSignature) }
        }
        return (writer.text, digest)
    }

    // MARK: Base fields

    private func base(_ writer: inout JSONWriter, _ truth: SimEngagement) {
        writer.member("object", "engagement")
        writer.member("id", truth.id)
        writer.member("title", truth.title)
        writer.member("engagement_type", truth.engagementType)
        writer.member("processing_status", truth.processingStatus)
        writer.member("is_private", truth.isPrivate)
        time(&writer, "created_at", truth.createdAt)
        time(&writer, "updated_at", truth.updatedAt)
        optional(&writer, "description", truth.description)
        optional(&writer, "data_source", truth.dataSource)
        if let isInternal = truth.isInternal {
            writer.member("is_internal", isInternal)
        } else {
            none(&writer, "is_internal")
        }
        time(&writer, "engagement_at", truth.engagementAt)
        time(&writer, "start_at", truth.startAt)
        time(&writer, "end_at", truth.endAt)
        number(&writer, "duration_seconds", truth.durationSeconds)
        optional(&writer, "meeting_url", truth.meetingURL)
        optional(&writer, "external_url", truth.externalURL)
        association(&writer, truth.crmAssociation)
        optional(&writer, "owner_user_id", truth.ownerUserID)
        optional(&writer, "host_user_id", truth.hostUserID)
        guard shape.hasUnknownKeys else { return }
        writer.raw(#""insights":{"talk_ratio":0.42,"topics":["a",null]},"workspace_region":"eu""#)
    }

    // MARK: Parts

    private func expanded(_ writer: inout JSONWriter, _ truth: SimEngagement, _ parts: SimParts) {
        if parts.contains(.companies) { items(&writer, .companies, truth.companies, company) }
        if parts.contains(.contacts) { items(&writer, .contacts, truth.contacts, contact) }
        if parts.contains(.owner) { part(&writer, .owner, truth.owner, user) }
        if parts.contains(.actionItems) { items(&writer, .actionItems, truth.actionItems, actionItem) }
        if parts.contains(.signals) { items(&writer, .signals, truth.signals, signal) }
        if parts.contains(.transcript) {
            part(&writer, .transcript, truth.transcript) { $0.string($1) }
        }
        if parts.contains(.tags) { items(&writer, .tags, truth.tags, tag) }
    }

    private func media(_ writer: inout JSONWriter, _ truth: SimEngagement, _ signature: UInt64) {
        let address = truth.mediaURL.map { "\($0)?expires=900&signature=SIGNATURE-\(signature)" }
        part(&writer, .mediaURL, address) { $0.string($1) }
    }

    /// A part that is null when there is nothing in it.
    private func part<Value>(
        _ writer: inout JSONWriter, _ part: SimPart, _ value: Value?,
        _ write: (inout JSONWriter, Value) -> Void
    ) {
        guard let value else { return empty(&writer, part) { $0.null() } }
        writer.key(part.rawValue)
        write(&writer, value)
    }

    private func items<Item>(
        _ writer: inout JSONWriter, _ part: SimPart, _ items: [Item],
        _ write: (inout JSONWriter, Item) -> Void
    ) {
        let hasStray = shape.nested == .strayItems
        if items.isEmpty && !hasStray { return empty(&writer, part) { $0.array { _ in } } }
        writer.key(part.rawValue)
        writer.array { writer in
            if hasStray { writer.string("no object") }
            for item in items { write(&writer, item) }
        }
    }

    /// U-9, U-20.
    private func empty(
        _ writer: inout JSONWriter, _ part: SimPart, _ asTyped: (inout JSONWriter) -> Void
    ) {
        if shape.emptyParts == .absent { return }
        writer.key(part.rawValue)
        switch shape.emptyParts {
        case .asTyped, .absent: asTyped(&writer)
        case .null: writer.null()
        case .blank: writer.string("")
        }
    }

    // MARK: Values

    func optional(_ writer: inout JSONWriter, _ name: String, _ value: String?) {
        if let value { writer.member(name, value) } else { none(&writer, name) }
    }

    /// For fields typed "string or null".
    func nullable(_ writer: inout JSONWriter, _ name: String, _ value: String?) {
        if let value { return writer.member(name, value) }
        guard shape.writesNullWhereTyped else { return }
        writer.key(name)
        writer.null()
    }

    func number(_ writer: inout JSONWriter, _ name: String, _ value: Int?) {
        if let value { writer.member(name, value) } else { none(&writer, name) }
    }

    func time(_ writer: inout JSONWriter, _ name: String, _ value: SimTime?) {
        optional(&writer, name, value?.text(withMilliseconds: shape.writesMilliseconds))
    }

    func none(_ writer: inout JSONWriter, _ name: String) {
        guard shape.writesNull else { return }
        writer.key(name)
        writer.null()
    }
}
