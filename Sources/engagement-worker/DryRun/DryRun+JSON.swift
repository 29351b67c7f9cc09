import AskElephant

extension DryRun.Outcome {
    /// The same as ``DryRunText`` shows, with all items.
    var json: JSONText {
        var members: [JSONText.Member] = [
            .init(name: "id", value: .string(id.rawValue)), .init(name: "result", value: .string(result)),
            .init(name: "reason", value: JSONText(reason)), .init(name: "requests", value: .array(sent.map(\.json))),
            .init(name: "denied", value: .array(denials.map(\.json))),
        ]
        if case .compared(let comparison) = end { members += comparison.members }
        return .object(members)
    }

    private var result: String {
        switch end {
        case .unreadable: "unreadable"
        case .credentialRefused: "credential_refused"
        case .compared(let comparison):
            comparison.isSuperseded ? "superseded" : comparison.isUnchanged ? "unchanged" : "changed"
        }
    }

    private var reason: String? {
        switch end {
        case .unreadable(let why), .credentialRefused(let why): why
        case .compared: nil
        }
    }
}

extension DryRun.Outcome.Comparison {
    fileprivate var members: [JSONText.Member] {
        [
            .init(name: "stored_at", value: JSONText(storedAt)),
            .init(name: "fields", value: .array(difference.fields.map(\.json))),
            .init(name: "parts", value: .array(difference.parts.map(\.json))),
            .init(name: "gaps", value: .array(gaps.map(\.json))),
        ]
    }
}

extension DryRunRequests.Sent {
    fileprivate var json: JSONText {
        .object([
            .init(name: "method", value: .string(method)), .init(name: "path", value: .string(path)),
            .init(name: "status", value: JSONText(status)), .init(name: "failure", value: JSONText(failure)),
            .init(name: "request_id", value: JSONText(requestID)), .init(name: "ms", value: .integer(milliseconds)),
        ])
    }
}

extension ScopeFallback.Denial {
    fileprivate var json: JSONText {
        .object([
            .init(name: "part", value: .string(part.rawValue)),
            .init(name: "scope", value: JSONText(part.scope?.rawValue)),
            .init(name: "request_id", value: JSONText(requestID)),
        ])
    }
}

extension Difference.Field {
    fileprivate var json: JSONText {
        .object([
            .init(name: "name", value: .string(PlainValue.name(name))),
            .init(name: "change", value: .string(change.rawValue)),
            .init(name: "stored", value: JSONText(PlainValue.shown(stored, of: name))),
            .init(name: "fetched", value: JSONText(PlainValue.shown(fetched, of: name))),
        ])
    }
}

extension Difference.Part {
    fileprivate var json: JSONText {
        .object([
            .init(name: "part", value: .string(part.rawValue)),
            .init(name: "added", value: .array(added.map(\.idJSON))),
            .init(name: "removed", value: .array(removed.map(\.idJSON))),
            .init(name: "changed", value: .array(changed.map(\.json))),
            .init(name: "version", value: JSONText(version?.rawValue)),
            .init(name: "characters", value: characters?.json ?? .null),
        ])
    }
}

extension Difference.Item {
    fileprivate var idJSON: JSONText { JSONText(id.flatMap(PlainValue.word)) }

    fileprivate var json: JSONText {
        .object([
            .init(name: "id", value: idJSON),
            .init(name: "fields", value: .array(fields.map { .string(PlainValue.name($0)) })),
        ])
    }
}

extension GapChange {
    fileprivate var json: JSONText {
        .object([
            .init(name: "part", value: .string(part)), .init(name: "cause", value: .string(cause)),
            .init(name: "scope", value: JSONText(scope)), .init(name: "change", value: .string(change.rawValue)),
        ])
    }
}
