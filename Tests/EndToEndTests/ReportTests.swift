import Foundation
import Postgres
import Simulator
import TestKit
import Testing

@testable import engagement_worker

/// The page of `report --html`.
@Suite(.serialized) struct ReportTests {
    /// Charts have round axes, draw each value once, and break where nothing is known.
    @Test func chartsDrawWhatThereIs() {
        let counts = Chart(labels: ["a", "b", "c"], title: "t").bars([
            .init(style: "done", values: [3, nil, 40]), .init(style: "failed", values: [0, nil, 2]),
        ])
        #expect(
            counts.matches(of: /<rect class="done"/).count == 2 && counts.matches(of: /<rect class="failed"/).count == 1
        )
        #expect(counts.contains(">50<") && counts.contains("<title>c: 40 done, 2 failed</title>"))
        let line = Chart(labels: ["a", "b", "c"], title: "t", isTime: true).line(
            .init(style: "age", values: [61, nil, 3_000]))
        #expect(line.matches(of: /<polyline/).count == 2)
        #expect(line.contains(">60 min<") && line.contains(">30 min<"))
        let empty = Chart(labels: [], title: "t").bars([])
        #expect(empty.contains("<svg") && !empty.contains("nan") && !empty.contains("inf"))
    }

    @Test func nothingEndsAnElement() {
        #expect(HTML.escaped("<script>&\"'\u{1B}") == "&lt;script&gt;&amp;&quot;&#39;\\u001b")
        // A combining mark behind it makes one character of both, to Swift and not to a browser.
        #expect(
            HTML.escaped("<\u{338}b>\u{338}&\u{301}\"\u{301}") == "&lt;\u{338}b&gt;\u{338}&amp;\u{301}&quot;\u{301}")
    }

    /// What could not be read is said, and what a sample says is marked, as `status` does.
    @Test func thePageSaysWhatItDoesNotKnow() async throws {
        try await Stage.run { stage in
            try await stage.insert(stage.ids(0..<1))
            #expect(try await stage.command(["run", "--once"]).status == 0)
            try await stage.database.run(
                """
                INSERT INTO dead_letters (key, engagement_id, cause, error)
                SELECT 'ngmt_' || n, 'ngmt_' || n, 'not_found', repeat('x', 200) FROM generate_series(1, 20000) AS n
                """)
            let locker = try await stage.database.connect()
            _ = try await locker.run(script: "BEGIN; LOCK TABLE engagement_gaps", name: "lock")
            let page = try await stage.command(["report", "--html", "-"]).output
            await locker.close()
            #expect(page.contains("<h2>Could not be looked at</h2>") && page.contains("<li>gaps: SQLSTATE 55P03"))
            #expect(page.contains("<h2>Dead letters ≈</h2>"))
            let whole = try await stage.command(["report", "--html", "-"]).output
            // Few enough to be counted.
            #expect(!whole.contains("Could not be looked at") && whole.contains("<th>missing</th>"))
        }
    }

    /// It needs nothing but itself: no script, nothing from the network; and it shows what is there, and nothing of an engagement but
    /// its id.
    @Test func thePageIsWholeAndShowsWhatHappened() async throws {
        try await Stage.run { stage in
            stage.world.revoke("contacts:read")
            try await stage.insert(stage.ids(0..<20) + ["<script>alert(1)</script>"])
            #expect(try await stage.command(["run", "--once"]).status == 1)
            try await stage.database.run(
                """
                INSERT INTO activity_minutes
                SELECT date_trunc('minute', now()) - n * interval '7 min', 9, o, c, 3, 3, 900, 300, 250, '<b>&'
                FROM generate_series(1, 190) AS n, (VALUES ('enriched', ''), ('retry', 'timeout'), ('dead', 'a <cause>')) AS v(o, c)
                """)
            let page = try await stage.command(["report", "--html", "-"]).output
            for forbidden in ["<script", "http://", "https://", "src=", "@import", "url(", "<b>&", "<cause>"] {
                #expect(!page.contains(forbidden), "\(forbidden)")
            }
            for shown in [
                "stopped", "no worker runs", "engagement-worker run", "scope_denied (contacts:read)", "timeout",
                "a &lt;cause&gt;",
                "&lt;b&gt;&amp;", "invalid_id", "prefers-color-scheme: dark", "default-src 'none'",
            ] {
                #expect(page.contains(shown), "\(shown)")
            }
            // Every element that is opened is closed.
            for tag in ["html", "body", "header", "section", "table", "tbody", "tr", "td", "svg", "g", "h2"] {
                let opened = page.matches(of: try Regex("<\(tag)[ >]")).count
                #expect(opened == page.components(separatedBy: "</\(tag)>").count - 1, "\(tag)")
            }
            let titles = stage.ids(0..<20).map { stage.world.truth($0).title }
            #expect(titles.allSatisfy { !page.contains($0) })

            // Rendered by a browser: a picture of some size, light or dark as the reader likes it.
            let file = TestCluster.folder + "/report-\(UUID().uuidString.prefix(8)).html"
            let written = try await stage.command(["report", "--html", file])
            #expect(written.status == 0 && written.output == "written: \(file)\n")
            for (scheme, brightness) in [("1", 600...765), ("0", 0...150)] {
                let picture = file + "-\(scheme).png"
                let browser = try await Program.run(
                    "chromium-headless-shell",
                    [
                        "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--window-size=1080,2400",
                        "--blink-settings=preferredColorScheme=\(scheme)", "--screenshot=\(picture)", "file://\(file)",
                    ])
                let size = (try? FileManager.default.attributesOfItem(atPath: picture)[.size] as? Int) ?? 0
                #expect(browser.status == 0 && size > 50_000, "\(size) \(browser.errors.suffix(500))")
                let corner = try await Program.run("python3", ["-c", Self.firstPixel, picture])
                #expect(brightness.contains(Int(corner.output) ?? -1), "\(scheme): \(corner.output)\(corner.errors)")
            }
            let nowhere = try await stage.command(["report", "--html", "/nowhere/page.html"])
            #expect(nowhere.status == 78 && nowhere.errors.contains("cannot be written"))
            #expect(try await stage.command(["report"]).status == 64)
        }
    }

    /// The sum of red, green and blue of a PNG's first pixel (RFC 2083): no filter of the first line changes it.
    private static let firstPixel = """
        import struct, sys, zlib
        data, at, packed = open(sys.argv[1], "rb").read(), 8, b""
        while at < len(data):
            length, kind = struct.unpack(">I4s", data[at:at + 8])
            if kind == b"IDAT": packed += data[at + 8:at + 8 + length]
            at += 12 + length
        print(sum(zlib.decompress(packed)[1:4]), end="")
        """
}
