import FoundationEssentials

/// Moves the world over HTTP while it serves, beside the API and outside its paths.
///
/// `GET /_simulator` is the state: switches, tokens with their scopes, engagements that are not as usual, delays.
/// `GET /_simulator/journal` counts the requests by status and by path.
/// `POST /_simulator/VERB` takes a JSON object, or nothing where no field is needed, and answers with the new state:
///
/// | verb | fields; those with `?` may be left out |
/// | --- | --- |
/// | `grant`, `revoke` | `scope`, `token?` (else every token) |
/// | `token` | `token`, `scopes?`, `valid?`: adds a token, gives it exactly these scopes, makes it answer 401 or not |
/// | `private`, `missing`, `gone` | `id`, `on?` (else true): needs the private scope, answers 404, answers 410 |
/// | `bump` | `id`: a new version |
/// | `unfinish`, `finish` | `id`: being processed, or processed as a new version |
/// | `switch` | `name`, `value`: `NamedSwitch.all` |
/// | `fault` | `fault` (as the switch of that name), `id?` (else every request), `times?` (else until `none`) |
/// | `latency` | `milliseconds`, `id?` (else every answer) |
/// | `rate_limit` | `per_second?` (else no limit) |
/// | `transcript` | `bytes`: the length of every transcript |
/// | `clear_journal` | |
///
/// What cannot be done changes nothing and is 400 with an `error` that says what can. Requests to it are neither in the
/// journal nor delayed, limited or refused, and need no credential: it is for loopback alone.
struct Control: Sendable {
    static let path = "/_simulator"
    /// Whoever sends more finds the connection closed.
    static let highestBodyBytes = 65_536

    /// A line for each verb with its fields.
    static let verbsText = ControlVerb.all.map { verb in
        let line = "  POST \(path)/\(verb.name)"
        guard !verb.fields.isEmpty else { return line }
        let gap = String(repeating: " ", count: max(2, 34 - line.count))
        return line + gap + verb.fields.joined(separator: ", ")
    }.joined(separator: "\n")

    let world: World

    static func owns(_ target: String) -> Bool {
        target == path || target.hasPrefix("\(path)/")
    }

    func answer(_ method: String, _ target: String, _ body: [UInt8]) -> SimResponse {
        let name = String(target.dropFirst(Self.path.count + 1))
        do throws(ControlError) {
            switch (method, name) {
            case ("GET", ""): return .json(world.stateText)
            case ("GET", "journal"): return .json(world.journalText)
            case ("POST", _):
                try run(name, body)
                return .json(world.stateText)
            default:
                throw ControlError("GET \(Self.path) or \(Self.path)/journal, or POST \(Self.path)/VERB.")
            }
        } catch {
            var writer = JSONWriter()
            writer.object { $0.member("error", error.message) }
            return .json(writer.text, status: 400)
        }
    }

    private func run(_ name: String, _ body: [UInt8]) throws(ControlError) {
        guard let verb = ControlVerb.all.first(where: { $0.name == name }) else {
            let names = ControlVerb.all.map(\.name).joined(separator: ", ")
            throw ControlError("There is no verb \(name). The verbs are: \(names).")
        }
        try verb.act(world, ControlFields(body, allowed: verb.fields))
    }
}

/// Why nothing was changed, as a sentence that names what can be asked for.
struct ControlError: Error {
    let message: String

    init(_ message: String) {
        self.message = message
    }
}
