import FoundationEssentials

/// What an answer other than 200 says about itself (contract section 7). Every field is a hint for people and for the
/// search for scope names; what to do is decided by the status.
package struct Problem: Sendable, Hashable {
    package struct FieldError: Sendable, Hashable {
        package var field: String?
        package var code: String?
        package var message: String?

        package init(field: String? = nil, code: String? = nil, message: String? = nil) {
            self.field = field
            self.code = code
            self.message = message
        }
    }

    /// The most bytes of a problem that are read.
    static let bodyLimit = 64 * 1024

    package var type: String?
    package var title: String?
    package var detail: String?
    /// The status that the body claims; the real one is in ``Reply/status``.
    package var status: Int?
    /// The id that AskElephant's support asks for: from the body, else from the header `X-Request-Id`.
    package var requestID: String?
    package var errors: [FieldError]
    /// The values of `WWW-Authenticate`, which may carry `scope=` (contract U-1).
    package var challenges: [String]

    package init(
        type: String? = nil,
        title: String? = nil,
        detail: String? = nil,
        status: Int? = nil,
        requestID: String? = nil,
        errors: [FieldError] = [],
        challenges: [String] = []
    ) {
        self.type = type
        self.title = title
        self.detail = detail
        self.status = status
        self.requestID = requestID
        self.errors = errors
        self.challenges = challenges
    }

    /// Whether it says that `expand` was at fault (contract U-6).
    package var blamesExpand: Bool {
        errors.contains { $0.field?.hasPrefix("expand") == true } || detail?.contains("expand") == true
    }

    /// Takes from a body what it finds and never fails. The media type is not looked at, because the vendor states it
    /// in two ways and proxies answer with HTML (contract section 7).
    package init(body: [UInt8], requestIDHeader: String? = nil, challenges: [String] = []) {
        let body = try? JSONDecoder().decode(ProblemBody.self, from: Data(body))
        self.init(
            type: body?.type,
            title: body?.title,
            detail: body?.detail,
            status: body?.status,
            requestID: body?.requestID ?? requestIDHeader,
            errors: body?.errors ?? [],
            challenges: challenges
        )
    }
}

/// The body of a problem, field by field: one of the wrong type costs only itself.
private struct ProblemBody: Decodable {
    enum Key: String, CodingKey {
        case type, title, detail, status, errors, field, code, message
        case requestID = "request_id"
    }

    var type: String?
    var title: String?
    var detail: String?
    var status: Int?
    var requestID: String?
    var errors: [Problem.FieldError]

    init(from decoder: any Decoder) throws {
        let object = try decoder.container(keyedBy: Key.self)
        type = object.text(.type)
        title = object.text(.title)
        detail = object.text(.detail)
        status = try? object.decode(Int.self, forKey: .status)
        requestID = object.text(.requestID)
        let items = try? object.decode([Item].self, forKey: .errors)
        errors = items?.compactMap(\.error) ?? []
    }

    private struct Item: Decodable {
        var error: Problem.FieldError?

        init(from decoder: any Decoder) throws {
            guard let object = try? decoder.container(keyedBy: Key.self) else { return }
            error = .init(field: object.text(.field), code: object.text(.code), message: object.text(.message))
        }
    }
}

extension KeyedDecodingContainer {
    /// The text of a key, nil when it is absent or no text. These texts end in Postgres, whose `text` has no NUL.
    fileprivate func text(_ key: Key) -> String? {
        guard let text = try? decode(String.self, forKey: key) else { return nil }
        return text.utf8.contains(0) ? String(text.map { $0 == "\0" ? "\u{FFFD}" : $0 }) : text
    }
}
