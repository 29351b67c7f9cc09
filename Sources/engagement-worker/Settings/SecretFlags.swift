/// Flags that people try for secrets. They do not exist, because everybody on the machine sees a command line.
enum SecretFlags {
    private static let variables = [
        "--token": "ASKELEPHANT_TOKEN or ASKELEPHANT_TOKEN_FILE",
        "--askelephant-token": "ASKELEPHANT_TOKEN or ASKELEPHANT_TOKEN_FILE",
        "--api-key": "ASKELEPHANT_TOKEN or ASKELEPHANT_TOKEN_FILE",
        "--database-url": "DATABASE_URL",
        "--migrate-database-url": "ENGAGEMENT_WORKER_MIGRATE_DATABASE_URL",
        "--listen-database-url": "ENGAGEMENT_WORKER_LISTEN_DATABASE_URL",
        "--password": "DATABASE_URL or PGPASSFILE",
    ]

    /// What to say when the command line has such a flag, to be asked before it is parsed; nil when it has none.
    static func refusal(of arguments: [String]) -> String? {
        for argument in arguments.prefix(while: { $0 != "--" }) {
            let flag = String(argument.prefix { $0 != "=" })
            guard let variable = variables[flag] else { continue }
            return "\(flag) does not exist, because everybody on the machine sees a command line. Use \(variable)."
        }
        return nil
    }
}
