import Foundation
import Simulator
import TestKit
import Testing

/// What deploy/ ships for Debian, Docker and Kubernetes, tried as far as this machine can.
@Suite(.serialized) struct PackageTests {
    private static let root = TestCluster.folder + "/debian-root"

    @discardableResult
    private func expectSuccess(
        _ program: String, _ arguments: [String], input: String = "", within limit: Duration = .seconds(60)
    ) async throws -> String {
        let ended = try await Program.run(program, arguments, input: input, within: limit)
        try #require(
            ended.status == 0, "\(program) \(arguments): \(ended.output.suffix(1_000))\(ended.errors.suffix(1_000))")
        return ended.output
    }

    /// A Debian of its own, with nothing in it but what the package depends on.
    private func debian() async throws {
        let sources = (try? String(contentsOfFile: "/etc/apt/sources.list.d/debian.sources", encoding: .utf8)) ?? ""
        let mirror =
            sources.firstMatch(of: /(?m)^URIs: (\S+)/).map { String($0.output.1) } ?? "http://deb.debian.org/debian"
        try await expectSuccess(
            "debootstrap",
            ["--variant=minbase", "--include=ca-certificates,libpq5,libstdc++6", "bookworm", Self.root, mirror],
            within: .seconds(600))
    }

    /// In that Debian, with a /proc.
    private func inDebian(_ script: String, _ environment: [String: String] = [:]) async throws -> Program {
        let settings = environment.sorted { $0.key < $1.key }.map { "export \($0)='\($1)'; " }.joined()
        return try await Program.run(
            "unshare",
            [
                "--mount", "sh", "-c",
                "mount --bind /proc \(Self.root)/proc && exec chroot \(Self.root) /bin/sh -c \"$0\"",
                settings + script,
            ])
    }

    private func files() async throws -> Set<String> {
        let found = try await expectSuccess(
            "find",
            [
                Self.root, "-xdev", "(", "-path", "*/var/lib/dpkg*", "-o", "-path", "*/var/log*", ")", "-prune", "-o",
                "-print",
            ])
        return Set(found.split(separator: "\n").map(String.init))
    }

    /// Each library that its programs ask for is in it, or in a package that it names.
    private func expectThatItDependsOnWhatItLoads(_ package: String) async throws {
        let depends = try await expectSuccess("dpkg-deb", ["-f", package, "Depends"])
        let named = Set(depends.split(separator: ",").compactMap { $0.split(whereSeparator: \.isWhitespace).first })
        let own = "$(find \(Self.root)/usr/lib -path '*/engagement-worker/*.so*')"
        let asked = try await expectSuccess(
            "sh", ["-c", "objdump -p \(Self.root)/usr/bin/engagement-worker \(own)"])
        let libraries = Set(asked.matches(of: /NEEDED +(\S+)/).map { String($0.output.1) })
        #expect(libraries.contains("libpq.so.5"))
        for library in libraries {
            if FileManager.default.fileExists(atPath: "\(Self.root)/usr/lib/engagement-worker/\(library)") { continue }
            let owner = try await inDebian("dpkg -S '*/\(library)'").output.prefix { $0 != ":" }
            #expect(named.contains(owner), "\(library) is of \(owner), which is not in: \(depends)")
        }
    }

    @Test(.enabled(if: getuid() == 0)) func theDebianPackageIsInstalledRunAndRemoved() async throws {
        defer { try? FileManager.default.removeItem(atPath: Self.root) }
        let printed = try await expectSuccess(
            Manual.file("deploy/package").path, [WorkerProcess.binary.path, TestCluster.folder])
        let package = try #require(printed.split(separator: "\n").last.map(String.init))
        defer { try? FileManager.default.removeItem(atPath: package) }
        try await expectSuccess("lintian", ["--allow-root", "--fail-on", "error,warning", package])

        try await debian()
        let before = try await files()
        try FileManager.default.copyItem(atPath: package, toPath: Self.root + "/worker.deb")
        let installed = try await inDebian("dpkg -i /worker.deb")
        #expect(installed.status == 0, "\(installed.errors)")
        let added = try await files().subtracting(before).map { String($0.dropFirst(Self.root.count)) }
        for file in [
            "/usr/bin/engagement-worker", "/lib/systemd/system/engagement-worker.service",
            "/etc/engagement-worker/engagement-worker.env",
            "/usr/share/bash-completion/completions/engagement-worker",
            "/usr/share/doc/engagement-worker/deploy/grants.sql", "/usr/share/doc/engagement-worker/sql/TABLES.md",
            "/usr/share/doc/engagement-worker/deploy/kubernetes/base/kustomization.yaml",
        ] {
            // /lib is /usr/lib there.
            #expect(added.contains(file) || added.contains("/usr" + file), "\(file)")
        }
        let mode = "stat -c %a /etc/engagement-worker/engagement-worker.env"
        #expect(try await inDebian(mode).output == "600\n")
        // An upgrade leaves it as somebody has made it.
        let upgraded = try await inDebian(
            "chmod 640 /etc/engagement-worker/engagement-worker.env && dpkg -i /worker.deb >&2 && rm /worker.deb && \(mode)"
        )
        #expect(upgraded.output == "640\n", "\(upgraded.errors)")
        try await expectThatItDependsOnWhatItLoads(package)
        #expect(try await inDebian("engagement-worker version").output.hasPrefix("engagement-worker "))
        // The example is a configuration that says nothing.
        let offline = try await inDebian(
            "engagement-worker doctor --offline --config /etc/engagement-worker/engagement-worker.env",
            ["DATABASE_URL": "postgresql:///x", "ASKELEPHANT_TOKEN": "x"])
        #expect(offline.status == 0, "\(offline.output)\(offline.errors)")
        let completed = try await inDebian(
            "bash -c '. /usr/share/bash-completion/completions/engagement-worker; complete -p engagement-worker'")
        #expect(completed.output.contains("engagement-worker"), "\(completed.errors)")

        try await Stage.run { stage in
            try await stage.insert(stage.ids(0..<3))
            let environment = [
                "DATABASE_URL": stage.database.conninfo + " host=127.0.0.1",
                "ASKELEPHANT_BASE_URL": stage.simulator.baseURL,
                "ASKELEPHANT_TOKEN": Simulator.demoToken,
            ]
            let ran = try await inDebian("engagement-worker run --once", environment)
            #expect(ran.status == 0, "\(ran.errors)")
            #expect(try await stage.database.count("SELECT count(*) FROM engagements") == 3)
        }

        #expect(try await inDebian("dpkg -r engagement-worker").status == 0)
        #expect(try await inDebian("ls /etc/engagement-worker").output == "engagement-worker.env\n")
        #expect(try await inDebian("dpkg -P engagement-worker").status == 0)
        #expect(try await files() == before)
    }

    /// The manifests are what `kubectl` makes of them, valid to the letter; a misspelt field would be found.
    @Test(.enabled(if: FileManager.default.fileExists(atPath: "/usr/bin/kubectl"))) func theManifestsAreValid()
        async throws
    {
        let tools = TestCluster.folder + "/kubernetes-validate"
        defer { try? FileManager.default.removeItem(atPath: tools) }
        try await expectSuccess("python3", ["-m", "venv", tools])
        try await expectSuccess(
            tools + "/bin/pip", ["install", "-q", "--disable-pip-version-check", "kubernetes-validate==1.37.0"],
            within: .seconds(600))
        let manifests = try await expectSuccess("kubectl", ["kustomize", Manual.file("deploy/kubernetes/base").path])
        let file = TestCluster.folder + "/manifests-\(UUID().uuidString.prefix(8)).yaml"
        defer { try? FileManager.default.removeItem(atPath: file) }
        func validate(_ text: String) async throws -> Program {
            try text.write(toFile: file, atomically: true, encoding: .utf8)
            return try await Program.run(tools + "/bin/kubernetes-validate", ["--strict", "-k", "1.32", file])
        }
        let valid = try await validate(manifests)
        #expect(valid.status == 0, "\(valid.output)\(valid.errors)")
        #expect(
            try await validate(manifests.replacing("terminationGracePeriodSeconds", with: "terminationGraceSeconds"))
                .status != 0)

        for kind in [
            "ServiceAccount", "ConfigMap", "Secret", "Job", "Deployment", "NetworkPolicy", "PodDisruptionBudget",
        ] {
            #expect(manifests.contains("\nkind: \(kind)\n"), "\(kind)")
        }
        // Twice each: the Job and the Deployment.
        for line in [
            "runAsNonRoot: true", "readOnlyRootFilesystem: true", "allowPrivilegeEscalation: false",
            "enableServiceLinks: false",
            "type: RuntimeDefault",
        ] {
            #expect(manifests.components(separatedBy: line).count == 3, "\(line)")
        }
        // The secret is a file, and the variables in the map are settings.
        #expect(manifests.contains("mountPath: /run/secrets/askelephant"))
        let fits = """
            import sys, yaml
            found = list(yaml.safe_load_all(sys.stdin))
            pods = {o["kind"]: o["spec"]["template"] for o in found if o["kind"] in ("Job", "Deployment")}
            labels = {kind: pod["metadata"]["labels"].items() for kind, pod in pods.items()}
            # The policy is for the pods of both; budget and Deployment are for the workers alone.
            for o in found:
                spec = o.get("spec", {})
                if o["kind"] == "NetworkPolicy":
                    assert all(spec["podSelector"]["matchLabels"].items() <= labels[kind] for kind in ("Job", "Deployment"))
                if o["kind"] in ("Deployment", "PodDisruptionBudget"):
                    chosen = spec["selector"]["matchLabels"].items()
                    assert chosen <= labels["Deployment"] and not chosen <= labels["Job"], o["kind"]
            # run waits for a lock or a right with no end, which only readiness and the start may tell.
            worker = pods["Deployment"]["spec"]["containers"][0]
            assert worker["livenessProbe"]["httpGet"]["path"] == "/livez"
            assert worker["readinessProbe"]["httpGet"]["path"] == "/readyz"
            start = worker["startupProbe"]
            assert start["exec"]["command"] == ["/usr/bin/engagement-worker", "status"]
            assert start["periodSeconds"] * start["failureThreshold"] >= 86400
            """
        try await expectSuccess(tools + "/bin/python", ["-c", fits], input: manifests)
        let yaml = "import sys, yaml\nfor path in sys.argv[1:]:\n    assert list(yaml.safe_load_all(open(path)))"
        try await expectSuccess(
            tools + "/bin/python",
            ["-c", yaml]
                + ["docker/compose.yaml", "kubernetes/scaler/scaledobject.yaml", "prometheus/rules.yml"].map {
                    Manual.file("deploy/\($0)").path
                })
    }

    /// The overlay that the manual shows, as it stands there: image, database, token and the pooler's port arrive where they belong.
    @Test(.enabled(if: FileManager.default.fileExists(atPath: "/usr/bin/kubectl"))) func theManualsOverlayIsTaken()
        async throws
    {
        let manual = try Manual("deploy/README.md").text()
        let overlay = try #require(manual.firstMatch(of: /```yaml\n(apiVersion: kustomize[^`]*)```/)).output.1
        let folder = TestCluster.folder + "/overlay-\(UUID().uuidString.prefix(8))"
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let files = FileManager.default
        try files.createDirectory(atPath: folder + "/crm", withIntermediateDirectories: true)
        try files.createDirectory(atPath: folder + "/engagement-worker", withIntermediateDirectories: true)
        try files.copyItem(atPath: Manual.file("deploy").path, toPath: folder + "/engagement-worker/deploy")
        try String(overlay).write(toFile: folder + "/crm/kustomization.yaml", atomically: true, encoding: .utf8)
        try "sk-apik_x".write(toFile: folder + "/crm/askelephant-token", atomically: true, encoding: .utf8)
        let url = "postgresql://worker:password@db.example.com/crm"
        try url.write(toFile: folder + "/crm/database-url", atomically: true, encoding: .utf8)
        let made = try await expectSuccess("kubectl", ["kustomize", folder + "/crm"])
        for line in [
            "image: registry.example.com/engagement-worker:0.1.0", "token: c2stYXBpa194", "namespace: crm",
            "secretName: engagement-worker-token", "port: 6432",
        ] {
            #expect(made.contains(line), "\(line)")
        }
        #expect(made.contains("url: \(Data(url.utf8).base64EncodedString())\n"))
        #expect(made.contains("DATABASE_URL_FILE: /run/secrets/database/url\n"))
    }

    /// Whatever an artefact sets is a setting, and whatever it runs a command.
    @Test func theArtefactsNameWhatThereIs() async throws {
        let known = Set(
            try Manual("README.md").section("Settings").rows.compactMap { $0.first?.replacing("`", with: "") })
        let artefacts = [
            "docker/Dockerfile", "docker/compose.yaml", "kubernetes/base/kustomization.yaml",
            "kubernetes/base/deployment.yaml",
            "kubernetes/base/migrate.yaml", "systemd/engagement-worker.service",
        ]
        for path in artefacts {
            let text = try String(contentsOf: Manual.file("deploy/\(path)"), encoding: .utf8)
                .split(separator: "\n").filter { !$0.drop { $0 == " " }.hasPrefix("#") }.joined(separator: "\n")
            for match in text.matches(of: /\b(ENGAGEMENT_WORKER_[A-Z_]+|ASKELEPHANT_[A-Z_]+|DATABASE_URL(?:_FILE)?)\b/)
            {
                #expect(known.contains(String(match.output.1)), "\(path): \(match.output.1)")
            }
        }
        let image = try String(contentsOf: Manual.file("deploy/docker/Dockerfile"), encoding: .utf8)
        #expect(image.contains("\nUSER 65534:65534\n") && !image.contains(":latest"))
        let compose = try String(contentsOf: Manual.file("deploy/docker/compose.yaml"), encoding: .utf8)
        #expect(compose.components(separatedBy: "read_only: true").count == 3)
    }

    /// The scaler's query, as it stands in the example, counts what is due and what is in hand.
    @Test func theScalersQueryCountsWork() async throws {
        let example = try String(contentsOf: Manual.file("deploy/kubernetes/scaler/scaledobject.yaml"), encoding: .utf8)
        let match = try #require(example.firstMatch(of: /query: "(.*)"/))
        let query = String(match.output.1)
        try await Stage.run { stage in
            #expect(try await stage.database.value(query) == "0")
            try await stage.insert(stage.ids(0..<7))
            #expect(try await stage.database.value(query) == "7")
            for id in stage.ids(0..<7) { stage.world.hold(id) }
            let worker = try await stage.worker()
            try await stage.waitForLeases(7, of: worker)
            #expect(try await stage.database.value(query) == "7")
            // Also where so many wait that queue_lanes() does not look for those in hand among them.
            try await stage.database.run(
                """
                INSERT INTO enrichment_queue (engagement_id, available_at)
                SELECT 'later ' || n, now() + interval '1 day' FROM generate_series(1, 10001) AS n
                """)
            #expect(try await stage.database.count("SELECT count(*) FROM queue_lanes() WHERE in_hand IS NULL") == 1)
            #expect(try await stage.database.value(query) == "7")
            try await stage.database.run("DELETE FROM enrichment_queue WHERE engagement_id LIKE 'later %'")
            for id in stage.ids(0..<7) { stage.world.releaseHold(id) }
            try await stage.drained()
            #expect(try await stage.database.value(query) == "0")
        }
    }
}
