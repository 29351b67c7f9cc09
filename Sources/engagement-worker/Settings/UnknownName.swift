/// What to say about a name that nobody declared.
enum UnknownName {
    static func problem(_ name: String, known: [String]) -> String {
        if isServiceLink(name) {
            return "is no setting; Kubernetes sets it for a Service named engagement-worker: put "
                + "enableServiceLinks: false into the pod's specification"
        }
        guard let near = suggestion(for: name, among: known) else { return "is no setting" }
        return "is no setting; did you mean \(near)?"
    }

    /// The closest name, if at most a fifth of the letters, and at most three, have to change.
    static func suggestion(for name: String, among known: [String]) -> String? {
        let name = name.uppercased().replacing("-", with: "_")
        let ranked = known.map { (name: $0, distance: distance(name, $0)) }.min { $0.distance < $1.distance }
        guard let best = ranked, best.distance <= min(3, max(1, name.count / 5)) else { return nil }
        return best.name
    }

    /// `ENGAGEMENT_WORKER_SERVICE_HOST`, `ENGAGEMENT_WORKER_PORT_8080_TCP_ADDR` and their like.
    private static func isServiceLink(_ name: String) -> Bool {
        let rest = name.dropFirst(Declaration.prefix.count)
        return rest == "PORT" || rest.hasPrefix("PORT_") || rest.hasPrefix("SERVICE_HOST")
            || rest.hasPrefix("SERVICE_PORT")
    }

    /// Levenshtein: the fewest letters to insert, delete or replace.
    private static func distance(_ left: String, _ right: String) -> Int {
        let right = Array(right.utf8)
        var row = Array(0...right.count)
        for (i, byte) in left.utf8.enumerated() {
            var diagonal = row[0]
            row[0] = i + 1
            for j in right.indices {
                let replaced = diagonal + (byte == right[j] ? 0 : 1)
                diagonal = row[j + 1]
                row[j + 1] = min(replaced, row[j] + 1, row[j + 1] + 1)
            }
        }
        return row[right.count]
    }
}
