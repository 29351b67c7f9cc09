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
        unknownKeys(
            &writer, #""insights":{"talk_ratio":0.42,"topics":["a",null]},"workspace_region":"eu""#)
    }

    // MARK: Parts

    private func expanded(_ writer: inout JSONWriter, _ truth: SimEngagement, _ parts: SimParts) {
        if parts.contains(.companies) { writer.list("companies", truth.companies, company) }
        if parts.contains(.contacts) { writer.list("contacts", truth.contacts, contact) }
        if parts.contains(.owner) {
            writer.key("owner")
            if let owner = truth.owner { user(&writer, owner) } else { writer.null() }
        }
        if parts.contains(.actionItems) { writer.list("action_items", truth.actionItems, actionItem) }
        if parts.contains(.signals) { writer.list("signals", truth.signals, signal) }
        if parts.contains(.transcript) {
            writer.key("transcript")
            if let transcript = truth.transcript { writer.string(transcript) } else { writer.null() }
        }
        if parts.contains(.tags) { writer.list("tags", truth.tags, tag) }
    }

    private func media(_ writer: inout JSONWriter, _ truth: SimEngagement, _ signature: UInt64) {
        writer.key("media_url")
        guard let address = truth.mediaURL else { return writer.null() }
        writer.string("\(address)?expires=900&signature=SIGNATURE-\(signature)")
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

    /// Members, not an object, and JSON already.
    func unknownKeys(_ writer: inout JSONWriter, _ members: String) {
        if shape.hasUnknownKeys { writer.raw(members) }
    }
}
