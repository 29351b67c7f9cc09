/// The parts of a request that the API looks at.
package struct SimRequest: Sendable {
    package var method: String
    /// Path and query, as sent.
    package var target: String
    package var authorization: String?
    package var ifNoneMatch: String?

    package init(
        method: String = "GET", target: String, authorization: String? = nil, ifNoneMatch: String? = nil
    ) {
        self.method = method
        self.target = target
        self.authorization = authorization
        self.ifNoneMatch = ifNoneMatch
    }
}

/// What a target addresses, and its query with both commas and brackets decoded.
struct Route: Sendable {
    enum Resource: Sendable, Equatable {
        case engagement(id: String)
        case list
        case unknown
    }

    let resource: Resource
    let query: [(name: String, value: String)]
    /// As it was sent.
    private let rawQuery: Substring

    init(_ target: String) {
        let halves = target.split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
        resource = Self.resource(halves[0])
        rawQuery = halves.count == 2 ? halves[1] : ""
        query = Self.query(rawQuery)
    }

    var engagementID: String? {
        if case .engagement(let id) = resource { id } else { nil }
    }

    func values(_ name: String) -> [String] {
        query.filter { $0.name == name }.map(\.value)
    }

    /// Every name asked for, of repeated `expand` keys too (U-5). An empty value asks for nothing.
    var expandNames: [String] {
        values("expand").flatMap { $0.split(separator: ",").map(String.init) }
    }

    /// One key at most, literal commas, nothing empty and nothing twice: the form that U-5 calls safe.
    var hasPlainExpand: Bool {
        let sent = rawQuery.split(separator: "&").filter { $0.prefix { $0 != "=" } == "expand" }
        guard let only = sent.first else { return true }
        let names = only.dropFirst("expand=".count).split(separator: ",", omittingEmptySubsequences: false)
        return sent.count == 1 && only.hasPrefix("expand=") && !only.contains("%")
            && names.allSatisfy { !$0.isEmpty } && Set(names).count == names.count
    }

    /// The known ones among them.
    var parts: SimParts {
        expandNames.reduce(into: []) { parts, name in
            if let part = SimPart(rawValue: name) { parts.insert(SimParts(part)) }
        }
    }

    private static func resource(_ path: Substring) -> Resource {
        let prefix = "/api/v2/engagements"
        guard path.hasPrefix(prefix) else { return .unknown }
        let rest = path.dropFirst(prefix.count)
        if rest.isEmpty { return .list }
        guard rest.first == "/", !rest.dropFirst().contains("/") else { return .unknown }
        return .engagement(id: decoded(rest.dropFirst()))
    }

    private static func query(_ text: Substring) -> [(name: String, value: String)] {
        text.split(separator: "&").map { item in
            let sides = item.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            return (
                decoded(sides[0], isForm: true), sides.count == 2 ? decoded(sides[1], isForm: true) : ""
            )
        }
    }

    /// Percent-decoding; in forms `+` is a space. A stray `%` stays what it is.
    private static func decoded(_ text: Substring, isForm: Bool = false) -> String {
        guard text.utf8.contains(where: { $0 == 0x25 || $0 == 0x2B }) else { return String(text) }
        let bytes = Array(text.utf8)
        var result: [UInt8] = []
        var index = 0
        while index < bytes.count {
            if bytes[index] == 0x25, index + 2 < bytes.count,
                let byte = hexadecimal(bytes[index + 1..<index + 3])
            {
                result.append(byte)
                index += 3
            } else {
                result.append(isForm && bytes[index] == 0x2B ? 0x20 : bytes[index])
                index += 1
            }
        }
        return String(decoding: result, as: UTF8.self)
    }

    private static func hexadecimal(_ digits: ArraySlice<UInt8>) -> UInt8? {
        UInt8(String(decoding: digits, as: UTF8.self), radix: 16)
    }
}
