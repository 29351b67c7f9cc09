/// Answers that have nothing to do with what was asked (U-26, U-32).
extension Endpoint {
    /// - Parameter answer: what would be sent without the fault.
    func response(_ fault: Switches.Fault, insteadOf answer: () -> SimResponse) -> SimResponse {
        switch fault {
        case .none: return answer()
        case .internalError: return response(.internalError)
        case .badGateway: return response(.badGateway)
        case .unavailable: return response(.unavailable(switches.retryAfter, seconds: 1))
        case .gatewayTimeout: return SimResponse(status: 504)
        case .forbidden: return response(.forbiddenAnyway)
        case .redirect: return SimResponse(status: 302, headers: [("Location", "http://elsewhere.invalid/")])
        case .page: return response(.page)
        case .cutOff:
            var cut = answer()
            cut.cutAfter = cut.body.count / 2
            return cut
        }
    }
}

extension Switches.APIVersion {
    var header: [(String, String)] {
        switch self {
        case .v2: [("X-Api-Version", "v2")]
        case .unseen: [("X-Api-Version", "2027-01-31")]
        case .absent: []
        }
    }
}
