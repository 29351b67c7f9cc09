import Foundation
import Glibc
import Postgres
import Simulator
import TestKit
import Testing

/// What was purged leaves no trace and does not come back.
@Suite(.serialized) struct PurgeTests {
    private static let withoutMedia = "companies,contacts,owner,action_items,signals,transcript,tags"

    /// Ids, addresses and numbers of theirs; a number that somebody else has, too, stays with that one.
    private static func needles(of people: [SimContact], among ids: [String], _ stage: Stage) -> [String] {
        let names = Set(people.map(\.id))
        let others = ids.flatMap { stage.world.truth($0).contacts }.filter { !names.contains($0.id) }
        let taken = Set(others.flatMap { $0.phoneNumbers.map(\.phoneNumber) })
        return people.flatMap { [$0.id] + $0.emails.map(\.email) }
            + people.flatMap { $0.phoneNumbers.map(\.phoneNumber) }.filter { !taken.contains($0) }
    }

    private static func key(_ stage: Stage, _ id: String) async throws -> String {
        try await stage.database.value("SELECT suppression_key('engagement', '\(id)')") ?? ""
    }

    /// A sweep, webhooks of all that was purged, a replay and an insert, all at work at once; what became of jobs of the engagement.
    private static func bringBack(_ stage: Stage, _ id: String, contact: String) async throws -> [String] {
        let worker = try stage.start([
            "run", "--sweep-interval", "1h", "--receive", "--receive-address", "127.0.0.1:0", "--webhook-secret-file",
            try Webhooks.secretFile(),
        ])
        let port = try await Webhooks.port(of: worker)
        try await worker.waitFor("sweep.done")
        for (number, type) in ["v1.engagement.created", "v1.engagement.updated", "v1.engagement.deleted"].enumerated() {
            #expect(try await Webhooks.send(number, id, type: type, to: port) == 204)
        }
        #expect(try await Webhooks.send(9, contact, type: "v1.contact.updated", to: port) == 204)
        #expect(try await stage.command(["dead", "replay", "--all"]).status == 0)
        #expect(try await stage.command(["enqueue", id]).status == 0)
        #expect(try await stage.command(["backfill"]).status == 0)
        try await stage.database.wait(for: Stage.jobs, toBe: "0")
        worker.signal(SIGTERM)
        #expect(try await worker.exitStatus() == 0)
        return worker.records(of: "job.done").filter { $0["engagement_id"] as? String == id }
            .compactMap { $0["outcome"] as? String }
    }

    @Test func anEngagementLeavesNoTraceAndStaysAway() async throws {
        var settings = Stage.small
        settings.children = 1...3
        settings.contactPool = 600
        try await Stage.run(settings: settings) { stage in
            let ids = stage.ids(0..<300)
            stage.world.register(ids)
            try await stage.insert(ids)
            #expect(try await stage.command(["run", "--once"]).status == 0)
            // One that shows somebody whom no other does, and somebody whom others do.
            let counts = try await stage.database.run(
                """
                SELECT l.engagement_id, count(*) FILTER (WHERE o.n = 1) AS own, count(*) FILTER (WHERE o.n > 1) AS shared
                FROM engagement_contacts AS l
                JOIN (SELECT contact_id, count(*) AS n FROM engagement_contacts GROUP BY 1) AS o USING (contact_id)
                GROUP BY 1 HAVING min(o.n) = 1 AND max(o.n) > 1 LIMIT 1
                """)
            let id = try #require(try counts.first?.text("engagement_id"))
            let other = try #require(ids.first { $0 != id })
            let truth = stage.world.truth(id)
            let others = Set(ids.filter { $0 != id }.flatMap { stage.world.truth($0).contacts.map(\.id) })
            let alone = truth.contacts.filter { !others.contains($0.id) }
            // Traces of all kinds: a letter, a job, what a denial names, an event.
            try await stage.database.run(
                """
                INSERT INTO dead_letters (key, engagement_id, cause) VALUES ('\(id)', '\(id)', 'api');
                """)
            try await stage.database.run(
                "INSERT INTO enrichment_queue (engagement_id, available_at) VALUES ('\(id)', 'infinity')")
            try await stage.database.run(
                "INSERT INTO scope_denials (credential_name, part, evidence_id) VALUES ('other', 'tags', '\(id)')")
            try await stage.database.run(
                "INSERT INTO webhook_events (message_id, type, object_id, outcome) VALUES ('m', 't', '\(id)', 'queued')"
            )
            try await stage.database.run(
                "UPDATE engagements SET description = 'as said in \(id)' WHERE id = '\(other)'")
            let needles = [id] + Self.needles(of: alone, among: ids, stage)
            #expect(try await stage.database.traces(of: [id]).count > 10)

            let ended = try await stage.command(["purge", id])
            #expect(ended.status == 0, "\(ended.errors)")
            #expect(try await stage.database.traces(of: needles) == [])
            #expect(
                try await stage.database.value("SELECT description FROM engagements WHERE id = '\(other)'")
                    == "as said in [purged]")
            let left = try await stage.database.count("SELECT count(*) FROM contacts")
            #expect(left == others.count)
            #expect(ended.output.contains(try await Self.key(stage, id)), "\(ended.output)")

            let asked = stage.world.requestCount(for: id)
            let shared = try #require(truth.contacts.first { others.contains($0.id) })
            let outcomes = try await Self.bringBack(stage, id, contact: shared.id)
            #expect(!outcomes.isEmpty && Set(outcomes) == ["suppressed"], "\(outcomes)")
            #expect(stage.world.requestCount(for: id) == asked, "it was asked for")
            #expect(try await stage.database.traces(of: needles) == [])
            let gone = "SELECT is_gone FROM engagement_changes WHERE _key = '\(try await Self.key(stage, id))'"
            #expect(try await stage.database.value(gone) == "t")
            #expect(try await stage.database.value("SELECT state FROM enrichment_state('\(id)')") == "purged")
            #expect(try await stage.command(["verify"]).status == 0)
            // By name, too; also once somebody is purged, for whose sake every answer is looked through.
            for command in [["enrich", id], ["purge", "--contact", "cnt_nobody"], ["enrich", id]] {
                #expect(try await stage.command(command).status == 0)
            }
            let tried = try await stage.command(["enrich", "--dry-run", id])
            #expect(tried.status == 1 && tried.output.contains("purged"), "\(tried.output)")
            #expect(stage.world.requestCount(for: id) == asked, "it was asked for")
            try await stage.database.run("SELECT deny_parts('default', '{tags}', '{rid_1}', '\(id)')")
            #expect(try await stage.database.traces(of: [id]) == [])
            #expect(try await stage.command(["purge", "--contact", "cnt_nobody", "--forget"]).status == 0)

            #expect(try await stage.command(["purge", id, "--forget"]).status == 0)
            #expect(try await stage.database.count("SELECT count(*) FROM suppressions") == 0)
            #expect(try await stage.command(["verify"]).status == 1, "now it is missing")
            try await stage.insert([id])
            #expect(try await stage.command(["run", "--once"]).status == 0)
            #expect(try await stage.database.count("SELECT count(*) FROM engagements_live WHERE id = '\(id)'") == 1)
        }
    }

    /// A person: a contact in two engagements and under a second id, an owner, and in texts of all kinds.
    @Test(arguments: [true, false]) func aPersonLeavesNoTraceAndStaysAway(byAddress: Bool) async throws {
        try await Stage.run { stage in
            let ids = stage.ids(0..<20)
            stage.world.register(ids)
            let (first, second) = (ids[3], ids[4])
            let body = { (id: String, contact: String) in
                """
                {"object":"engagement","id":"\(id)","title":"Call with Ann.Lee@Acme.example","engagement_type":"CALL",
                "processing_status":"COMPLETED","updated_at":"2026-01-01T00:00:00Z","description":"Notes:\\nann.lee@acme.example, joann.lee@acme.example",
                "contacts":[{"id":"\(contact)","first_name":"Ann","last_name":"Leeuwenhoek","emails":[{"email":"Ann.Lee@acme.example","is_primary":true}],
                "crm_association":{"object_type":"Contact","crm_object_id":"0035x000ANNLEE","source":"salesforce"}},
                {"id":"cnt_joann","first_name":"Jo","emails":[{"email":"joann.lee@acme.example","is_primary":true}]}],
                "companies":[],"owner":null,"action_items":[{"id":"a","text":"write to <ann.lee@acme.example>."}],
                "signals":[{"id":"s","name":"said","value":"cnt_ann called"}],"transcript":"Ann: I am ann.lee@acme.example.\\nJo: so am I",
                "media_url":null,"tags":[]}
                """
            }
            stage.world.override(first, SimResponse(status: 200, body: Array(body(first, "cnt_ann").utf8)))
            stage.world.override(second, SimResponse(status: 200, body: Array(body(second, "cnt_ann2").utf8)))
            try await stage.insert(ids)
            #expect(try await stage.command(["run", "--once"]).status == 0)
            let needles = ["ann.lee@acme", "cnt_ann", "leeuwenhoek", "0035x000annlee"]
            // joann.lee@acme.example is somebody else and has the first needle in it.
            let others = try await stage.database.traces(of: ["joann.lee@acme.example"])
            #expect(try await stage.database.traces(of: needles).count > 15)
            let changed = try await stage.database.value("SELECT max(_changed_at) FROM engagements")

            let ended = try await stage.command(
                ["purge"]
                    + (byAddress
                        ? ["--email", " ANN.lee@acme.example"] : ["--contact", "cnt_ann", "--contact", "cnt_ann2"]))
            #expect(ended.status == 0, "\(ended.errors)")
            try await Self.expectGone(stage, others)
            for id in [first, second] {
                #expect(
                    try await stage.database.value(
                        "SELECT (changed_at > '\(changed ?? "")')::text FROM engagement_changes WHERE engagement_id = '\(id)'"
                    ) == "true")
            }
            // Everything is fetched again, and the same person comes once more under a third id.
            stage.world.override(second, SimResponse(status: 200, body: Array(body(second, "cnt_ann3").utf8)))
            try await stage.database.run("UPDATE engagements SET updated_at = updated_at - interval '1 year'")
            _ = try await Self.bringBack(stage, first, contact: "cnt_ann")
            try await stage.insert([second])
            #expect(try await stage.command(["run", "--once"]).status == 0)
            #expect(stage.world.requestCount(for: second) >= 2)
            try await Self.expectGone(stage, others)
            #expect(
                try await stage.database.value("SELECT description FROM engagements WHERE id = '\(first)'")
                    == "Notes:\n[purged], joann.lee@acme.example")
            #expect(
                try await stage.database.value(
                    "SELECT transcript FROM engagement_transcripts WHERE engagement_id = '\(first)'")
                    == "Ann: I am [purged].\nJo: so am I")
            #expect(
                try await stage.database.count(
                    "SELECT count(*) FROM engagement_contacts WHERE contact_id = 'cnt_joann'") == 2)
            // Forgotten, all of it comes back, though the source says what it said before.
            let forget =
                byAddress ? ["--email", "ann.lee@acme.example"] : ["--contact", "cnt_ann", "--contact", "cnt_ann2"]
            #expect(try await stage.command(["purge", "--forget"] + forget).status == 0)
            #expect(try await stage.database.count("SELECT count(*) FROM suppressions") == 0)
            try await stage.insert([first, second])
            #expect(
                try await stage.command(["run", "--once", "--conditional", "--expand", Self.withoutMedia]).status == 0)
            #expect(
                try await stage.database.count("SELECT count(*) FROM contacts WHERE last_name = 'Leeuwenhoek'") == 2)
            #expect(
                try await stage.database.count("SELECT count(*) FROM engagements WHERE title LIKE '%Ann.Lee@Acme%'")
                    == 2)
            #expect(
                try await stage.database.count(
                    "SELECT count(*) FROM engagement_transcripts WHERE transcript LIKE '%ann.lee@acme%'") == 2)
        }
    }

    private static func expectGone(_ stage: Stage, _ others: [String]) async throws {
        let traces = try await stage.database.traces(of: ["ann.lee@acme", "cnt_ann", "leeuwenhoek", "0035x000annlee"])
        let theirs = Set(others.map { $0.split(separator: ":")[0] })
        #expect(
            traces.allSatisfy { $0.hasSuffix(": ann.lee@acme") && theirs.contains($0.split(separator: ":")[0]) },
            "\(traces)")
        // Where the other person's address stands, only that does.
        for place in theirs {
            let (table, column) = (place.split(separator: ".")[0], place.split(separator: ".")[1])
            #expect(
                try await stage.database.count(
                    "SELECT count(*) FROM \(table) WHERE \(column)::text ~* '(?<!jo)ann\\.lee@acme'") == 0,
                "\(place)")
        }
    }

    /// What was asked for before the purge is answered after it.
    @Test(arguments: ["enriched", "deleted", "contact"]) func whatIsInFlightWritesNothingOfIt(kind: String) async throws
    {
        try await Stage.run { stage in
            let id = try #require(stage.ids(0..<50).first { !stage.world.truth($0).contacts.isEmpty })
            let person = stage.world.truth(id).contacts[0]
            try await stage.insert([stage.world.id(100)])
            let worker = try await stage.worker()
            try await stage.drained()
            stage.world.hold(id)
            if kind == "deleted" { stage.world.setGone(id) }
            try await stage.database.run(
                "INSERT INTO enrichment_queue (engagement_id, reason) VALUES ('\(id)', '\(kind == "deleted" ? kind : "x")')"
            )
            try await stage.world.waitForRequest(id)
            let purge = kind == "contact" ? ["--contact", person.id] : [id]
            #expect(try await stage.command(["purge"] + purge).status == 0)
            // A job that came while the purge ran, too.
            try await stage.insert([id])
            stage.world.releaseHold(id)
            try await worker.waitFor("job.done", count: kind == "contact" ? 2 : 3)
            try await stage.database.wait(for: Stage.jobs, toBe: "0")
            let needles = kind == "contact" ? [person.id] + person.emails.map(\.email) : [id]
            #expect(try await stage.database.traces(of: needles) == [])
            if kind == "contact" {
                let links = try await stage.database.count(
                    "SELECT count(*) FROM engagement_contacts WHERE engagement_id = '\(id)'")
                #expect(links == stage.world.truth(id).contacts.count - 1)
            } else {
                let outcomes = worker.records(of: "job.done").dropFirst().compactMap { $0["outcome"] as? String }
                #expect(Set(outcomes) == ["lease_lost", "suppressed"], "\(outcomes)")
            }
        }
    }

    /// An owner: the engagements stay theirs, by an id of which nothing more is known, whatever comes later.
    @Test func ofAUserTheIDStays() async throws {
        try await Stage.run { stage in
            let id = stage.world.id(1)
            let body = { (owner: String) in
                """
                {"object":"engagement","id":"\(id)","title":"A","engagement_type":"NOTE","processing_status":"COMPLETED",
                "updated_at":"2026-01-01T00:00:00Z","owner_user_id":"usr_olga","companies":[],"contacts":[],
                "owner":\(owner),"action_items":[],"signals":[],"transcript":null,"media_url":null,"tags":[]}
                """
            }
            let olga =
                #"{"id":"usr_olga","first_name":"Olga","last_name":"Petrova","emails":[{"email":"olga@us.example","is_primary":true}]}"#
            stage.world.override(id, SimResponse(status: 200, body: Array(body(olga).utf8)))
            try await stage.insert([id])
            #expect(try await stage.command(["run", "--once"]).status == 0)
            #expect(try await stage.command(["purge", "--email", "olga@us.example"]).status == 0)
            for later in [olga, #"{"id":"usr_olga","first_name":"Olga","emails":[]}"#] {
                #expect(try await stage.database.traces(of: ["olga@us", "petrova", "\"olga\""]) == [])
                #expect(try await stage.database.value("SELECT owner_user_id FROM engagements_live") == "usr_olga")
                stage.world.override(id, SimResponse(status: 200, body: Array(body(later).utf8)))
                try await stage.insert([id])
                #expect(try await stage.command(["run", "--once"]).status == 0)
            }
            #expect(try await stage.database.traces(of: ["olga@us", "petrova", "\"olga\""]) == [])
            #expect(try await stage.database.count("SELECT count(*) FROM users WHERE first_name IS NOT NULL") == 0)
        }
    }

    /// Killed while it looks through the tables, it has forgotten nothing of what it looked for.
    @Test func onePurgeEndsWhatAnotherBeganAndFoundAddressesAreLookedForToo() async throws {
        try await Stage.run { stage in
            let ids = stage.ids(0..<50)
            let id = try #require(ids.first { stage.world.truth($0).contacts.first?.emails.isEmpty == false })
            let person = stage.world.truth(id).contacts[0]
            try await stage.insert(ids)
            #expect(try await stage.command(["run", "--once"]).status == 0)
            let addresses = person.emails.map(\.email)
            try await stage.database.run(
                "UPDATE engagements SET description = '\((addresses + [person.id]).joined(separator: " / "))' WHERE id = '\(ids[0])'"
            )
            let blocker = try await stage.database.connect()
            try await blocker.run(script: "BEGIN; LOCK TABLE companies", name: "lock")
            let first = try stage.start(["purge", "--email", addresses[0]])
            try await eventually("it looks through the tables") { first.errors.contains("looking through companies") }
            try await first.kill9()
            await blocker.close()
            #expect(try await stage.database.count("SELECT count(*) FROM purge_needles") > 1)
            #expect(try await stage.command(["purge", "--email", addresses[0]]).status == 0)
            #expect(try await stage.database.traces(of: addresses + [person.id]) == [])
        }
    }

    /// Many rows, in tables of every kind, and two that say the same once they are redacted.
    @Test func rowsAreFoundInEverySlice() async throws {
        try await Stage.run { stage in
            try await stage.insert([stage.world.id(1)])
            #expect(try await stage.command(["run", "--once"]).status == 0)
            try await stage.database.run(
                """
                INSERT INTO webhook_events (message_id, type, object_id, outcome)
                SELECT 'm' || n, 't', CASE n % 7 WHEN 0 THEN 'cnt_Ann' WHEN 1 THEN 'ANN@x.example' ELSE 'cnt_Anne' END, 'ignored'
                FROM generate_series(1, 1000) AS n
                """)
            try await stage.database.run(
                """
                INSERT INTO crm_associations (subject_type, subject_id, source, object_type, crm_object_id, first_seen_at)
                VALUES ('company', 'c', 's', 't', 'ann@x.example', now()), ('company', 'c', 's', 't', 'Ann@x.example', now()),
                       ('company', 'c', 's', 't', 'joann@x.example', now())
                """)
            try await stage.database.run(
                "INSERT INTO tags (id, name, _raw, _observed_at) VALUES ('t', 'by ann@x.example', '{\"a\": [\"ann@x.example\"]}', now())"
            )
            let ended = try await stage.command(["purge", "--email", "ann@x.example", "--contact", "cnt_Ann"])
            #expect(ended.status == 0 && ended.output.contains("now without: \(142 + 143 + 2 + 1)"), "\(ended.output)")
            #expect(
                try await stage.database.count("SELECT count(*) FROM webhook_events WHERE object_id = 'cnt_Anne'")
                    == 715)
            #expect(try await stage.database.count("SELECT count(*) FROM crm_associations WHERE subject_id = 'c'") == 2)
            #expect(
                try await stage.database.value("SELECT name || _raw FROM tags WHERE id = 't'")
                    == #"by [purged]{"a": ["[purged]"]}"#)
            let left = Set(try await stage.database.traces(of: ["ann@x.example", "cnt_ann"]))
            #expect(left == ["crm_associations.crm_object_id: ann@x.example", "webhook_events.object_id: cnt_ann"])
        }
    }

    /// Broken off at once, with nothing deleted: any other purge ends it.
    @Test func whatWasOnlyBegunIsEnded() async throws {
        try await Stage.run { stage in
            let ids = stage.ids(0..<50)
            let id = try #require(ids.first { stage.world.truth($0).contacts.first?.emails.isEmpty == false })
            let person = stage.world.truth(id).contacts[0]
            let other = try #require(ids.first { $0 != id })
            try await stage.insert(ids)
            #expect(try await stage.command(["run", "--once"]).status == 0)
            let address = person.emails[0].email
            try await stage.database.run(
                "SELECT suppress('{email}', '{\(address)}', suppression_key('email', '\(address)')), suppress('{engagement}', '{\(other)}', suppression_key('engagement', '\(other)'))"
            )
            #expect(try await stage.command(["purge", "--email", "nobody@x.example"]).status == 0)
            let needles = [other] + Self.needles(of: [person], among: ids, stage)
            #expect(try await stage.database.traces(of: needles) == [])
            #expect(try await stage.database.count("SELECT count(*) FROM purge_needles") == 0)
            #expect(try await stage.command(["purge", "--email", address, "--forget"]).status == 0)
            let left = "SELECT string_agg(kind, ',' ORDER BY kind) FROM suppressions"
            #expect(try await stage.database.value(left) == "email,engagement")
        }
    }

    /// What a person may look like, and who names a purged engagement: in what the API sends after the purge.
    @Test func othersMayNotBringThemBack() async throws {
        try await Stage.run { stage in
            let (gone, id) = (stage.world.id(1), stage.world.id(2))
            try await stage.insert([gone, id])
            #expect(try await stage.command(["run", "--once"]).status == 0)
            let body = """
                {"object":"engagement","id":"\(id)","title":"A","engagement_type":"NOTE","processing_status":"COMPLETED",
                "updated_at":"2036-01-01T00:00:00Z","description":"as in \(gone)","companies":[],"owner":null,
                "contacts":[{"id":"cnt_1","first_name":"Anneliese","primary_email":"ann@x.example"},
                {"id":"cnt_2","first_name":"Anneliese","emails":"ann@x.example"},
                {"id":"cnt_3","first_name":"Anneliese","emails":[{"address":"ANN@x.example"}]},
                {"id":"cnt_4","first_name":"Anneliese","emails":["Anneliese <ann@x.example>"]},
                {"id":"cnt_5","first_name":"Bo","emails":[{"email":"bo@x.example"}]}],
                "participants":[{"name":"Anneliese","email":"ann@x.example"},{"name":"Bo","email":"bo@x.example"}],
                "action_items":[{"id":"a","text":"T","assignee":{"name":"Anneliese","emails":["ann@x.example"]}}],
                "signals":[],"transcript":"see \(gone)","media_url":null,"tags":[]}
                """
            for purge in [[gone], ["--email", "ann@x.example"]] {
                #expect(try await stage.command(["purge"] + purge).status == 0)
                stage.world.override(id, SimResponse(status: 200, body: Array(body.utf8)))
                try await stage.insert([id])
                #expect(try await stage.command(["run", "--once"]).status == 0)
                #expect(try await stage.database.traces(of: [gone]) == [])
            }
            #expect(try await stage.database.traces(of: ["ann@x.example", "anneliese"]) == [])
            #expect(
                try await stage.database.value(
                    "SELECT string_agg(contact_id, ',') FROM engagement_contacts WHERE engagement_id = '\(id)'")
                    == "cnt_5")
            #expect(
                try await stage.database.value("SELECT _raw -> 'participants' FROM engagements WHERE id = '\(id)'")
                    == #"[{}, {"name": "Bo", "email": "bo@x.example"}]"#)
            #expect(
                try await stage.database.value("SELECT _raw FROM engagement_action_items WHERE engagement_id = '\(id)'")
                    == #"{"id": "a", "text": "T", "assignee": {}}"#)
        }
    }

    /// Tables of others stand in the schema, and what is no address is refused before it is looked for everywhere.
    @Test func whatIsNotOursIsLeftAlone() async throws {
        try await Stage.run { stage in
            #expect(try await stage.command(["migrate", "--with-outbox"]).status == 0)
            try await stage.database.run(
                "CREATE TABLE theirs (note text, doubled text GENERATED ALWAYS AS (note || note) STORED)")
            try await stage.database.run("INSERT INTO theirs VALUES ('ann@x.example')")
            try await stage.database.run(
                "ALTER TABLE contacts ADD COLUMN their_name text GENERATED ALWAYS AS (first_name || last_name) STORED")
            let ended = try await stage.command(["purge", "--email", "ann@x.example"])
            #expect(ended.status == 0 && ended.errors.contains("NOT looked through: theirs"), "\(ended.errors)")
            #expect(
                ended.errors.split(separator: "\n").count { $0.hasPrefix("NOT") } == 1,
                "every table of ours is looked through")
            #expect(try await stage.database.value("SELECT note FROM theirs") == "ann@x.example")
            for address in ["@", "ann@", "@x.example", "Ann <ann@x.example>", "ann", "a@b@c", "ann @x.example"] {
                #expect(try await stage.command(["purge", "--email", address]).status == 64, "\(address)")
            }
        }
    }
}
