/// One change that the control endpoint can make.
struct ControlVerb: Sendable {
    let name: String
    /// Those that may be left out end in a question mark.
    let fields: [String]
    let act: @Sendable (World, ControlFields) throws(ControlError) -> Void

    static let all: [ControlVerb] = credentials + engagements + answers

    private static let credentials: [ControlVerb] = [
        ControlVerb(name: "grant", fields: ["scope", "token?"]) { world, fields throws(ControlError) in
            world.grant(try fields.scope(), to: try fields.knownToken(world))
        },
        ControlVerb(name: "revoke", fields: ["scope", "token?"]) { world, fields throws(ControlError) in
            world.revoke(try fields.scope(), from: try fields.knownToken(world))
        },
        ControlVerb(name: "token", fields: ["token", "scopes?", "valid?"]) { world, fields throws(ControlError) in
            let token = try fields.text("token")
            let scopes = try fields.scopes("scopes")
            let isValid = try fields.flag("valid")
            guard !token.isEmpty else { throw ControlError("token must not be empty.") }
            if let scopes {
                world.setToken(token, scopes: scopes)
            } else if !world.knows(token: token) {
                throw ControlError("A new token needs scopes, such as [\"engagements:read\"].")
            }
            if isValid == true { world.validate(token) }
            if isValid == false { world.invalidate(token) }
        },
    ]

    private static let engagements: [ControlVerb] = [
        ControlVerb(name: "private", fields: ["id", "on?"]) { world, fields throws(ControlError) in
            world.setPrivate(try fields.id(), try fields.flag("on") ?? true)
        },
        ControlVerb(name: "missing", fields: ["id", "on?"]) { world, fields throws(ControlError) in
            world.setMissing(try fields.id(), try fields.flag("on") ?? true)
        },
        ControlVerb(name: "gone", fields: ["id", "on?"]) { world, fields throws(ControlError) in
            world.setGone(try fields.id(), try fields.flag("on") ?? true)
        },
        ControlVerb(name: "bump", fields: ["id"]) { world, fields throws(ControlError) in
            world.bump(try fields.id())
        },
        ControlVerb(name: "unfinish", fields: ["id"]) { world, fields throws(ControlError) in
            world.setUnfinished(try fields.id())
        },
        ControlVerb(name: "finish", fields: ["id"]) { world, fields throws(ControlError) in
            world.finish(try fields.id())
        },
    ]

    private static let answers: [ControlVerb] = [
        ControlVerb(name: "switch", fields: ["name", "value"]) { world, fields throws(ControlError) in
            let (name, value) = (try fields.text("name"), try fields.text("value"))
            do throws(SwitchError) {
                try world.setSwitch(name, to: value)
            } catch {
                throw ControlError(error.description)
            }
        },
        ControlVerb(name: "fault", fields: ["fault", "id?", "times?"]) { world, fields throws(ControlError) in
            guard let fault = Switches.Fault(rawValue: try fields.text("fault")) else {
                let names = Switches.Fault.allCases.map(\.rawValue).joined(separator: ", ")
                throw ControlError("fault may be: \(names).")
            }
            world.setFault(fault, of: try fields.optionalID(), times: try fields.optionalNumber("times"))
        },
        ControlVerb(name: "latency", fields: ["milliseconds", "id?"]) { world, fields throws(ControlError) in
            let latency = Duration.milliseconds(try fields.number("milliseconds"))
            if let id = try fields.optionalID() { world.setLatency(id, latency) } else { world.setLatency(latency) }
        },
        ControlVerb(name: "rate_limit", fields: ["per_second?"]) { world, fields throws(ControlError) in
            world.setRateLimit(perSecond: try fields.optionalNumber("per_second"))
        },
        ControlVerb(name: "transcript", fields: ["bytes"]) { world, fields throws(ControlError) in
            let bytes = try fields.number("bytes")
            world.setTranscriptBytes(bytes...bytes)
        },
        ControlVerb(name: "clear_journal", fields: []) { world, _ throws(ControlError) in
            world.clearJournal()
        },
    ]
}

extension ControlFields {
    /// `nil` when none is named.
    fileprivate func knownToken(_ world: World) throws(ControlError) -> String? {
        guard let token = try optionalText("token") else { return nil }
        guard world.knows(token: token) else {
            throw ControlError("There is no such token; POST token adds one, and GET shows those that there are.")
        }
        return token
    }
}
