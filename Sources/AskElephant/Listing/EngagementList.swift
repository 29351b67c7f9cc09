/// What part of the list of engagements to ask for, and where: in order of change, oldest first, a hundred a page.
package struct EngagementList: Sendable, Equatable {
    package static let pageSize = 100

    /// Inclusive.
    package var from: UpdateTime?
    /// Exclusive.
    package var until: UpdateTime?
    /// What the page before said; opaque. All else is repeated with it, since nobody has said that it knows that (contract
    /// section 10).
    package var cursor: String?

    package init(from: UpdateTime? = nil, until: UpdateTime? = nil, cursor: String? = nil) {
        self.from = from
        self.until = until
        self.cursor = cursor
    }

    /// As it stands in a request.
    package var pathAndQuery: String {
        var path = "/v2/engagements?limit=\(Self.pageSize)&order_by=updated_at:asc"
        if let from { path += "&filter%5Bupdated_at%5D%5Bgte%5D=" + Self.escaped(from.text) }
        if let until { path += "&filter%5Bupdated_at%5D%5Blt%5D=" + Self.escaped(until.text) }
        if let cursor { path += "&cursor=" + Self.escaped(cursor) }
        return path
    }

    private static func escaped(_ text: String) -> String {
        var escaped = ""
        for byte in text.utf8 {
            let isPlain = byte.isASCIILetter || byte.isASCIIDigit || "-._~:".utf8.contains(byte)
            if isPlain {
                escaped.unicodeScalars.append(Unicode.Scalar(byte))
            } else {
                escaped += "%" + (byte < 16 ? "0" : "") + String(byte, radix: 16, uppercase: true)
            }
        }
        return escaped
    }
}
