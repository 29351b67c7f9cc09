/// An answer, as far as HTTP/1.1 sees it.
package struct SimResponse: Sendable, Equatable {
    package struct Header: Sendable, Equatable {
        package let name: String
        package let value: String
    }

    package var status: Int
    /// `Content-Length` is added, unless it is given here.
    package var headers: [Header]
    package var body: [UInt8]
    /// The connection is closed after this many bytes of the body, whatever was promised.
    package var cutAfter: Int?

    package init(
        status: Int, headers: [(String, String)] = [], body: [UInt8] = [], cutAfter: Int? = nil
    ) {
        self.status = status
        self.headers = headers.map { Header(name: $0.0, value: $0.1) }
        self.body = body
        self.cutAfter = cutAfter
    }

    package static func json(_ text: String, status: Int = 200) -> SimResponse {
        SimResponse(
            status: status, headers: [("Content-Type", "application/json")], body: Array(text.utf8))
    }

    /// The first header of that name, whatever its case.
    package func header(_ name: String) -> String? {
        headers.first { $0.name.lowercased() == name.lowercased() }?.value
    }
}
