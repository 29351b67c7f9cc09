import AskElephant
import Enrichment
import FoundationEssentials
import Glibc

/// What can be known of a configuration without asking anybody.
struct ConfigurationChecks {
    let settings: Settings

    func findings() -> [Finding] { [database, credential, files, openFiles, webhooks].compactMap(\.self) }

    private var database: Finding {
        do {
            _ = try Setup.conninfo(settings)
            let given = Settings.declarations.map(\.variable).filter { settings.sources[$0] != nil }
            return .ok("configuration", "\(given.joined(separator: ", ")); engagement-worker config print shows all")
        } catch {
            return .failure("configuration", error)
        }
    }

    private var credential: Finding {
        let source: CredentialSource
        do { source = try Setup.credentials(settings) } catch { return .failure("credential", error) }
        let name: String
        switch settings.tokenSource {
        case .file(let path): name = path
        default: name = "ASKELEPHANT_TOKEN"
        }
        guard source.credential != nil else {
            return .failure(
                "credential", "\(name) is missing, empty, or not one line of ASCII",
                next: "put the key, sk-apik_…, into it; it must be readable by \(Setup.userName)")
        }
        if case .file(let path) = settings.tokenSource, Setup.isReadableByOthers(path) {
            return .warning("credential", "other users of this machine may read \(path)", next: "chmod 600 \(path)")
        }
        return .ok("credential", "from \(name)")
    }

    private var files: Finding? {
        guard let file = settings.certificateFile, !FileManager.default.isReadableFile(atPath: file) else { return nil }
        return .failure(
            "certificates", "SSL_CERT_FILE names a file that cannot be read: \(file)", next: "ls -l \(file)")
    }

    private var openFiles: Finding? {
        do {
            try OpenFiles.makeRoom(for: settings, receives: settings.receives)
            return nil
        } catch {
            return .failure("open files", error)
        }
    }

    private var webhooks: Finding? {
        guard settings.receives || settings.webhookSecretFile != nil else { return nil }
        do {
            _ = try Setup.receiver(settings, log: .none)
            return .ok("webhooks", "the secret can be used; run --receive would listen on \(settings.receiveAddress)")
        } catch {
            return .failure("webhooks", Failure(error))
        }
    }
}
