import Foundation
import Simulator
import TestKit
import Testing

/// What `--output json` prints has the members that deploy/README.md names, of the types that it names, and no others.
enum JSONContract {
    /// The members of a section's table: what its first column names, and what its other columns name by a path (`a[].b`, `a.b`).
    private static func documented(_ section: Manual.Section) -> Set<String> {
        let others = section.rows.flatMap { $0.dropFirst() }
            .flatMap { $0.matches(of: /`(\w+(?:\[\])?\.[\w.\[\]]+)`/).map { String($0.output.1) } }
        return Set(section.names + others)
    }

    /// - Parameter value: an object, or a list of objects, all members of which count.
    static func expect(_ value: Any, in title: String) throws {
        let section = try Manual("deploy/README.md").section(title)
        var found: [String: [Any]] = [:]
        func look(_ value: Any, _ path: String) {
            for element in value as? [Any] ?? [value] {
                for (name, member) in element as? [String: Any] ?? [:] {
                    found[path + name, default: []].append(member)
                    look(member, path + name + (member is [Any] ? "[]." : "."))
                }
            }
        }
        look(value, "")
        let documented = documented(section)
        #expect(Set(found.keys).subtracting(documented) == [], "deploy/README.md, \(title): says nothing of it")
        #expect(documented.subtracting(found.keys) == [], "deploy/README.md, \(title): it is not there")
        for row in section.rows where row.count == 3 {
            for name in Manual.Section(rows: [row]).names {
                for member in found[name] ?? [] {
                    #expect(isOf(row[1], member), "\(title): \(name) is no \(row[1]): \(member)")
                }
            }
        }
    }

    private static func isOf(_ type: String, _ value: Any) -> Bool {
        if value is NSNull { return type.hasSuffix(" or null") }
        return switch type.split(separator: " ").first {
        case "text": value is String
        case "number": (value as? NSNumber).map { String(cString: $0.objCType) != "c" } ?? false
        case "boolean": (value as? NSNumber).map { String(cString: $0.objCType) == "c" } ?? false
        case "list": value is [Any]
        case "object": value is [String: Any]
        default: false
        }
    }
}

struct JSONContractTests {
    @Test func theCommandsPrintWhatTheManualSays() async throws {
        try await Stage.run { stage in
            func json(_ arguments: [String], exits code: Int32 = 0) async throws -> Any {
                let ended = try await stage.command(arguments + ["--output", "json"])
                #expect(ended.status == code, "\(ended.errors)")
                return try JSONSerialization.jsonObject(with: Data(ended.output.utf8))
            }
            let ids = stage.ids(0..<5)
            stage.world.register(ids)
            stage.world.revoke("contacts:read")
            try await stage.insert(Array(ids.prefix(3)) + ["nonsense"])
            #expect(try await stage.command(["run", "--once"]).status == 1)

            try JSONContract.expect(try await json(["status", ids[0]]), in: "status ID as JSON")
            try JSONContract.expect(try await json(["dead", "list"]), in: "dead list as JSON")
            let key = try #require(try await stage.database.value("SELECT key FROM dead_letters"))
            try JSONContract.expect(try await json(["dead", "show", key]), in: "dead show as JSON")
            try JSONContract.expect(try await json(["scopes"]), in: "scopes as JSON")
            try JSONContract.expect(try await json(["doctor"]), in: "doctor as JSON")
            let verified = try #require(try await json(["verify"], exits: 1) as? [String: Any])
            #expect((verified["drift"] as? [Any])?.count == 2)
            try JSONContract.expect(verified, in: "verify as JSON")
            try JSONContract.expect(try await json(["backfill"]), in: "backfill as JSON")
            try JSONContract.expect(try await json(["reproject"]), in: "reproject as JSON")
        }
    }

    /// A value's type is its column's, whatever it looks like.
    @Test func whatLooksLikeAnotherTypeIsText() async throws {
        try await Stage.run { stage in
            let titles = ["t", "f", "2026", "1.50", "{a}", "null"]
            let ids = stage.ids(0..<titles.count)
            for (id, title) in zip(ids, titles) {
                stage.world.override(
                    id, .json(#"{"id":"\#(id)","title":"\#(title)","updated_at":"2026-01-01T00:00:00Z"}"#))
            }
            try await stage.insert(["12345"])
            _ = try await stage.command(["run", "--once"])
            let ended = try await stage.command(["enrich", "--output", "json"] + ids)
            let rows = try #require(
                try JSONSerialization.jsonObject(with: Data(ended.output.utf8)) as? [[String: Any]])
            #expect(rows.map { $0["title"] as? String } == titles)
            #expect(rows.allSatisfy { $0["contacts"] is Int && $0["missing"] is [String] })
            for (id, title) in zip(ids, titles) {
                let ended = try await stage.command(["status", id, "--output", "json"])
                let shown = try #require(
                    try JSONSerialization.jsonObject(with: Data(ended.output.utf8)) as? [String: Any])
                #expect((shown["engagement"] as? [String: Any])?["title"] as? String == title)
                #expect((shown["state"] as? [String: Any])?["missing_parts"] is [String])
            }
            let dead = try await stage.command(["dead", "list", "--output", "json"])
            let letters = try #require(
                try JSONSerialization.jsonObject(with: Data(dead.output.utf8)) as? [[String: Any]])
            #expect(letters.map { $0["engagement_id"] as? String } == ["12345"])
            #expect(letters.map { $0["times"] as? Int } == [1])
        }
    }
}
