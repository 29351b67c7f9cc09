import Postgres
import SQLText
import TestKit
import Testing

@testable import Enrichment

/// What `credentials` says of the rate limit, at its edges.
struct SharedRateTests {
    private func credential(_ columns: String, _ values: String) -> String {
        "INSERT INTO credentials (name, \(columns)) VALUES ('default', \(values))"
    }

    /// A rate that was not measured grows by a quarter a second, until five minutes after the pause.
    @Test func aLimitThatIsMetOnlyOnceSlowsNobodyLater() async throws {
        try await withTestDatabase { database in
            try await database.run(
                credential(
                    "request_rate, _limited_at, paused_until", "50, now() - interval '1 h', now() - interval '1 s'"))
            for seconds in stride(from: 5, through: 295, by: 10) {
                try await database.run(
                    "UPDATE credentials SET paused_until = now() - interval '\(seconds) s', _turn_at = NULL")
                let turns = try await database.count("SELECT turns FROM take_turns('default', NULL)")
                #expect((1...5_000).contains(turns), "\(turns) after \(seconds) s")
            }
        }
    }

    /// Of a hundred that were allowed three went well: they hung, or there were no more. That is no limit to keep to for minutes; where nearly
    /// all went well it is.
    @Test(arguments: [(3, 0.5), (49, 0.5), (50, 0.9), (95, 0.9)])
    func fewThatWentWellAreNoMeasure(accepted: Int, _ measure: Double) async throws {
        try await withTestDatabase { database in
            try await database.run(
                credential(
                    "request_rate, _rate_before, _is_measured, _held_s, _limited_at, paused_until",
                    "\(accepted), 100, true, 60, now() - interval '21 s', now() - interval '20 s'"))
            let rate = try await database.value("SELECT round(1 / step_s) FROM take_turns('default', NULL)")
            let allowed = try #require(rate.flatMap(Double.init))
            if measure == 0.5 {
                #expect(allowed > 60 * Double(accepted), "\(allowed)")
            } else {
                #expect(allowed >= 0.9 * Double(accepted) && allowed <= Double(accepted), "\(allowed)")
            }
        }
    }

    @Test func aLimitOfLongAgoIsNone() async throws {
        try await withTestDatabase { database in
            let past = "now() - interval '1 hour'"
            try await database.run(credential("request_rate, _limited_at, paused_until", "50, \(past), \(past)"))
            let uncapped = "SELECT concat_ws(' ', turns, step_s, limited_ago_s) FROM take_turns('default', NULL)"
            #expect(try await database.value(uncapped) == "0")
            let capped = "SELECT concat_ws(' ', turns, step_s, limited_ago_s) FROM take_turns('default', 10)"
            #expect(try await database.value(capped) == "1 0.1")
        }
    }

    /// The server's clock was set back, or another server took over: what lies ahead by then was set by nobody.
    @Test func timesThatNoWorkerCanHaveSetAreNotWaitedFor() async throws {
        try await withTestDatabase { database in
            let hour = "now() + interval '1 hour'"
            try await database.run(
                credential(
                    "request_rate, _limited_at, paused_until, _turn_at, _trial_at",
                    "50, \(hour), \(hour), \(hour), \(hour)"))
            let wait = "SELECT (wait_s < 1)::text FROM take_turns('default', 10)"
            #expect(try await database.value(wait) == "true")
            #expect(try await database.value("SELECT take_trial('default')") == "0")
            let pause = "SELECT (pause_end(c, now()) IS NULL)::text FROM credentials AS c"
            #expect(try await database.value(pause) == "true")
            // The next 429 is news, and holds.
            try await database.run("SELECT meet_limit('default', 1, 30, 0.1, 20)")
            let held = "SELECT (pause_end(c, now()) > now() + interval '20 s')::text FROM credentials AS c"
            #expect(try await database.value(held) == "true")
        }
    }

    @Test func aPauseWithoutEndIsNoError() async throws {
        try await withTestDatabase { database in
            let session = Session(database.configuration().connection(role: "keep"))
            for end in ["now() + interval '1 day'", "'infinity'"] {
                try await database.run("DELETE FROM credentials; " + credential("paused_until", end))
                let rows = try await session.query(Statements.clockRead, [.text("default")])
                let pause = try #require(try rows.first?.doubleIfPresent("paused_s"))
                #expect((3_599...3_600).contains(pause))
            }
            await session.close()
        }
    }
}
