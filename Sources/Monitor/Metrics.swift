package import Enrichment

/// What a process tells Prometheus, in its text format (version 0.0.4): ages first, fifteen metrics at most. A value that is
/// not known is left out, since a number would lie.
package enum Metrics {
    /// A metric and its samples.
    private struct Family {
        var name: String
        var type: String
        var help: String
        var samples: [(labels: [(String, String)], value: Double)]
    }

    private static let prefix = "engagement_worker_"

    /// The names, for those who compare dashboards and alerts with them.
    package static var names: [String] { families([], version: "").map { prefix + $0.name } }

    package static func text(_ readings: [Vitals.Reading], version: String) -> String {
        families(readings, version: version).map { family in
            let name = prefix + family.name
            let samples = family.samples.map { sample in
                let labels = sample.labels.map { "\($0)=\"\(escaped($1))\"" }.joined(separator: ",")
                return name + (labels.isEmpty ? "" : "{\(labels)}") + " \(number(sample.value))\n"
            }
            return "# HELP \(name) \(family.help)\n# TYPE \(name) \(family.type)\n" + samples.joined()
        }.joined()
    }

    private static func families(_ readings: [Vitals.Reading], version: String) -> [Family] {
        func gauge(_ name: String, _ help: String, _ value: (Vitals.Reading, Heartbeat) -> [(String, String, Double?)])
            -> Family
        {
            // Of those that work: what one that has ended said last is not so for ever, and one that waits to start does nothing yet.
            let samples = readings.filter { $0.hasBegun && !$0.hasEnded }.flatMap { reading in
                (reading.beat.map { value(reading, $0) } ?? []).compactMap { label, labelled, number in
                    number.map { (labels(reading, label, labelled), $0) }
                }
            }
            return Family(name: name, type: "gauge", help: help, samples: samples)
        }
        func counter(_ name: String, _ help: String, _ value: (Activity) -> [(String, String, Double)]) -> Family {
            let samples = readings.flatMap { reading in
                value(reading.activity).map { (labels(reading, $0.0, $0.1), $0.2) }
            }
            return Family(name: name, type: "counter", help: help, samples: samples)
        }
        return [
            gauge("oldest_due_age_seconds", "Age of the oldest due job, of the normal lane and above.") { _, beat in
                [("", "", beat.oldestDueSeconds)]
            },
            gauge("last_success_age_seconds", "Since something was written; absent before the first time.") {
                reading, beat in
                [("", "", beat.lastSuccessSeconds.map { $0 + reading.age / .seconds(1) })]
            },
            gauge("heartbeat_age_seconds", "Since the worker looked at itself, which it does each 10 s.") {
                reading, _ in
                [("", "", reading.age / .seconds(1))]
            },
            gauge("due_jobs", "Jobs that are due, by lane; 10001 and more are not counted.") { _, beat in
                [
                    ("lane", "live", beat.due.map(Double.init)),
                    ("lane", "background", beat.backgroundDue.map(Double.init)),
                ]
            },
            gauge("waiting_jobs", "Jobs that wait for their time.") { _, beat in
                [("", "", beat.waiting.map(Double.init))]
            },
            gauge("in_flight_jobs", "Jobs in hand.") { _, beat in [("", "", Double(beat.inFlight))] },
            gauge("verdict", "1 for what the worker says of itself, 0 for the other words.") { _, beat in
                Heartbeat.Verdict.allCases.map { ("verdict", $0.rawValue, beat.verdict == $0 ? 1 : 0) }
            },
            gauge("dependency_ok", "Whether the database, the credential and the bell serve.") { _, beat in
                [
                    ("dependency", "database", beat.db == .ok ? 1 : 0),
                    ("dependency", "credential", beat.credential == .ok ? 1 : 0),
                    ("dependency", "bell", beat.listen == .ok ? 1 : 0),
                ]
            },
            gauge("parts_denied", "Parts that the credential may not read.") { _, beat in
                [("", "", Double(beat.partsDenied.count))]
            },
            counter("jobs_total", "Jobs that ended, by outcome.") { activity in
                JobDone.Outcome.allCases.map { ("outcome", $0.rawValue, Double(activity.count(of: $0))) }
            },
            counter("failures_total", "Jobs that failed or were put off, by cause.") { activity in
                activity.causes.sorted { $0.key < $1.key }.map { ("cause", $0.key, Double($0.value)) }
            },
            counter("job_wait_seconds_total", "How long ended jobs had waited from when they were due.") { activity in
                [("", "", activity.whole.waitMilliseconds.seconds)]
            },
            counter("job_run_seconds_total", "How long ended jobs took to be fetched and written.") { activity in
                [("", "", activity.whole.runMilliseconds.seconds)]
            },
            counter("requests_total", "Requests to the API for ended jobs.") { activity in
                [("", "", Double(activity.whole.requests))]
            },
            Family(
                name: "build_info", type: "gauge", help: "1, with the version of the binary.",
                samples: [([("version", version)], 1)]),
        ]
    }

    private static func labels(_ reading: Vitals.Reading, _ name: String, _ value: String) -> [(String, String)] {
        (reading.workspace.map { [("workspace", $0)] } ?? []) + (name.isEmpty ? [] : [(name, value)])
    }

    private static func escaped(_ text: String) -> String {
        text.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"").replacing("\n", with: "\\n")
    }

    /// Whole numbers without a fraction, as people read them.
    private static func number(_ value: Double) -> String {
        value == value.rounded() && abs(value) < 1e15 ? String(Int64(value)) : "\(value)"
    }
}

extension Int64 {
    fileprivate var seconds: Double { Double(self) / 1000 }
}
