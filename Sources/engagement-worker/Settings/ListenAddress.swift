/// Where to listen: `HOST:PORT`, an IPv6 address in brackets. Port 0 takes a free one.
struct ListenAddress: Equatable, Sendable {
    var host: String
    var port: Int
}

extension ListenAddress: CustomStringConvertible {
    init?(_ text: String) {
        guard let colon = text.lastIndex(of: ":"), let port = UInt16(text[text.index(after: colon)...]) else {
            return nil
        }
        var host = text[..<colon]
        if host.hasPrefix("["), host.hasSuffix("]") {
            host = host.dropFirst().dropLast()
        } else if host.contains(":") {
            return nil
        }
        guard !host.isEmpty else { return nil }
        (self.host, self.port) = (String(host), Int(port))
    }

    var description: String { host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)" }
}

extension SettingKind where Value == ListenAddress {
    static var listenAddress: Self {
        Self(
            form: "HOST:PORT",
            parse: { text throws(BadValue) in
                guard let address = ListenAddress(text) else { throw BadValue("is no HOST:PORT") }
                return address
            },
            show: { $0.description }
        )
    }
}

extension SettingKind where Value == ListenAddress? {
    /// Nil unless it is given.
    static var listenAddressOrNone: Self {
        let one = SettingKind<ListenAddress>.listenAddress
        return Self(
            form: one.form, parse: { text throws(BadValue) in try one.parse(text) }, show: { $0.flatMap(one.show) })
    }
}
