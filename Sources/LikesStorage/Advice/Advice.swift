import LikesSettings

/// The next thing to do: a command to copy if there is one, otherwise which setting to correct, and where.
///
/// The commands are Debian's. The names in them come from the settings and the host. They never contain a secret.
package struct Advice: Sendable {
    let configuration: Configuration
    private let host: HostFacts
    /// Whose servers of PostgreSQL it is about.
    private let database: Setting

    package init(_ configuration: Configuration, on host: HostFacts, database: Setting = .databaseURL) {
        self.configuration = configuration
        self.host = host
        self.database = database
    }

    /// A host's name has no address.
    package func name(_ name: String, of setting: Setting) -> String {
        "getent hosts \(name.shellWord) has to find it: otherwise correct \(configuration.places.text(of: setting))"
    }

    // MARK: PostgreSQL

    /// How to make the tables.
    package var migrate: String { likesctl(.migrate).text }

    /// The tables are the reference service's.
    package func reference(in database: String) -> SchemaFailure {
        SchemaFailure(Schema.referenceMisfit(database), next: likesctl(.adopt).text)
    }

    /// One of likesctl's commands that use the settings, run as the daemon's own user.
    package func likesctl(_ task: LikesctlTask, with options: String = "") -> LikesctlAdvice {
        likesctl(task, options, as: host.userName == "root" ? nil : host.userName)
    }

    /// The same for whoever runs likesctl now, as the same user and with the settings that it was given.
    package func likesctlAgain(_ task: LikesctlTask, with options: String = "") -> LikesctlAdvice {
        likesctl(task, options, as: host.isUnderSudo ? host.userName : nil)
    }

    /// Types without a number beside numbers without a name, as a starting host finds them.
    package func unnamed(_ types: UnnamedTypes) -> SchemaFailure {
        SchemaFailure(types.reason, next: types.next { likesctl(.migrate, with: $0).text })
    }

    /// `options`: for a shell, as they are. `user`: whom sudo has to run it as.
    private func likesctl(_ task: LikesctlTask, _ options: String, as user: String?) -> LikesctlAdvice {
        var variables: [String] = []
        if task.settings.contains(where: { configuration.places.origin(of: $0) == .credential }) {
            variables += host.credentialsFolder.map { ["CREDENTIALS_DIRECTORY=\($0.shellWord)"] } ?? []
        }
        let given = task.settings.filter { configuration.places.origin(of: $0) == .environment }
        for setting in given where !holdsPassword(setting) {
            variables.append("\(setting.rawValue)=\(setting.text(in: configuration).shellWord)")
        }
        let secrets = given.filter(holdsPassword).map(\.rawValue)
        var words = user.map { $0 == "root" ? ["sudo"] : ["sudo", "-u", $0.shellWord] } ?? []
        if user != nil, !secrets.isEmpty { words.append("--preserve-env=\(secrets.joined(separator: ","))") }
        words += variables + ["likesctl", task.words] + (options.isEmpty ? [] : [options])
        if let file = configuration.places.file, file != SettingPlaces.defaultFile {
            words += ["--config", file.shellWord]
        }
        return LikesctlAdvice(words.joined(separator: " "), secrets: secrets)
    }

    /// Whether no message may repeat the value. A masked one would take the place of the right one.
    private func holdsPassword(_ setting: Setting) -> Bool {
        switch setting {
        case .databaseURL: DatabaseURL.masked(configuration.databaseURL) != configuration.databaseURL
        case .redisURL: configuration.redis.hasPassword
        default: setting.isSecret
        }
    }

    /// After a failed attempt to connect. `hadTables`: this process has used likesd's tables before.
    package func connecting(
        _ reason: ConnectRefusal.Reason, _ target: DatabaseTarget, hadTables: Bool = false
    ) -> String? {
        let setting = configuration.places.text(of: database)
        if isOnStandby, reason.isOfPrimary {
            return "correct that on the primary that it follows, or correct \(setting)"
        }
        switch reason {
        case .noServer: return serverMissing(target)
        case .serverStarting: return nil
        case .tooManyConnections: return "close connections to PostgreSQL, or raise its max_connections"
        case .noRole: return administer("createuser", target, target.role.shellWord)
        case .roleMayNotLogIn: return statement("ALTER ROLE \(target.role.sqlName) LOGIN", target)
        case .wrongPassword:
            let command = statement("\\password \(target.role.sqlName)", target)
            // PostgreSQL says the same of a role that is missing.
            return "correct the password in \(setting), or the role if it does not exist, or set the password: "
                + command
        case .noPassword: return "put the password of \(target.role) into \(setting)"
        case .otherIdentity where target.isUnixSocket && target.role != host.userName:
            return "name the role \(host.userName) in \(setting), or connect over TCP with a password"
        case .otherIdentity, .notLetIn:
            let reload = statement("SELECT pg_reload_conf()", target)
            return "add the line '\(hostLine(target))' to PostgreSQL's pg_hba.conf, then: \(reload)"
        case .noDatabase:
            let make = administer("createdb", target, "-O \(target.role.shellWord) \(target.database.shellWord)")
            guard hadTables else { return make }
            return "the database was dropped or renamed: \(Schema.restoreFirst); if it was renamed, give it its name "
                + "back (ALTER DATABASE … RENAME); otherwise \(make), then restore a backup into it "
                + "(\(Schema.handbook))"
        case .noPermission:
            return statement("GRANT CONNECT ON DATABASE \(target.database.sqlName) TO \(target.role.sqlName)", target)
        case .unclear: return "check \(setting)"
        }
    }

    /// A standby takes over everything but its own files from the primary.
    private var isOnStandby: Bool { database == .databaseReplicaURLs }

    /// The role may not read what counts from a standby need.
    package func standbyPermission(_ target: DatabaseTarget) -> String {
        let tables = "likesd_schema, item_types, lanes, likesd_hosts, counters"
        return "on the primary that it follows, GRANT SELECT ON \(tables) TO \(target.role.sqlName)"
    }

    /// The tables exist, but the role may not use them.
    package func permission(_ target: DatabaseTarget) -> String {
        let role = target.role.sqlName
        return statement(
            "GRANT USAGE ON SCHEMA public TO \(role); "
                + "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO \(role)",
            target, in: target.database)
    }

    /// Why tables of this version are refused; nil if the version is right. `found` is nil if no row gives the version.
    package func version(_ found: Int?) -> SchemaFailure? {
        guard found != Schema.version else { return nil }
        let isOlder = found.map { $0 < Schema.version } ?? false
        return SchemaFailure(
            Schema.versionMisfit(found) + (isOlder ? " \(Schema.notWhileRestoring)" : ""),
            next: Schema.whenOfOtherVersion(found, migrate: migrate))
    }

    /// The role may not use the schema that has the tables. `schema`: as SQL writes its name.
    package func barred(from schema: String, _ target: DatabaseTarget) -> SchemaFailure {
        SchemaFailure(
            "the role \(target.role) may not use the schema \(schema) of the database \(target.database)",
            next: statement("GRANT USAGE ON SCHEMA \(schema) TO \(target.role.sqlName)", target, in: target.database))
    }

    /// The tables do not fit: the command that corrects them.
    package func schema(_ remedy: String, _ target: DatabaseTarget) -> String {
        statement(remedy, target, in: target.database)
    }

    /// The server takes no writes.
    package var primary: String {
        "point \(configuration.places.text(of: .databaseURL)) at the primary, or let the server take writes again"
    }

    private func serverMissing(_ target: DatabaseTarget) -> String {
        let setting = configuration.places.text(of: database)
        if target.isDefaultServer {
            return host.isPostgresInstalled ? "sudo systemctl start postgresql" : "sudo apt install postgresql"
        }
        var options = target.host.isEmpty ? "" : " -h \(target.host.shellWord)"
        if !target.port.isEmpty { options += " -p \(target.port.shellWord)" }
        return "pg_isready\(options) has to find it: start PostgreSQL there, or correct \(setting)"
    }

    /// One of PostgreSQL's programs, run as the server's administrator.
    private func administer(_ program: String, _ target: DatabaseTarget, _ words: String) -> String {
        (target.isLocal ? "sudo -u postgres " : "") + "\(program)\(target.administratorOptions) \(words)"
    }

    private func statement(_ text: String, _ target: DatabaseTarget, in database: String? = nil) -> String {
        let place = database.map { "-d \($0.shellWord) " } ?? ""
        return administer("psql", target, "\(place)-c \(text.shellWord)")
    }

    private func hostLine(_ target: DatabaseTarget) -> String {
        let names = "\(target.database.sqlName) \(target.role.sqlName)"
        if target.isUnixSocket {
            return "local \(names) \(target.role == host.userName ? "peer" : "scram-sha-256")"
        }
        return "host \(names) \(target.isLoopback ? "127.0.0.1/32" : "ADDRESS-OF-THIS-HOST/32") scram-sha-256"
    }

    // MARK: Redis

    /// After a connection to Redis failed or was refused. `reason`: the words of hiredis or Redis. `named`: the server,
    /// where Sentinels named it, or where it is one of a cluster's nodes.
    package func redis(_ reason: String, at named: RedisEndpoint.Address? = nil) -> String? {
        let setting = configuration.places.text(of: .redisURL)
        func says(_ words: [String]) -> Bool { words.contains { reason.contains($0) } }
        func says(_ words: String...) -> Bool { says(words) }
        if says("no password is set", "without any password configured") {
            return "take the password out of \(setting)"
        }
        if says("NOAUTH") { return "put the password into \(setting), as in \(passwordExample)" }
        if says("WRONGPASS", "invalid password") { return "correct the password in \(setting)" }
        if says("NOPERM") {
            let isOfCluster = says("CLUSTER", "'cluster", "likesd:generation:", "ASKING")
            let needsMore = isOfCluster || isCluster && says("one of the keys")
            return "let the user of \(setting) do it: ACL SETUSER\(needsMore ? " (\(Self.clusterRights))" : "")"
        }
        if says("DB index is out of range") { return "name a lower database in \(setting)" }
        let address: RedisEndpoint.Address
        switch configuration.redis.topology {
        case .server(let server) where named == nil || named == server: address = server
        case .server, .cluster: return says(Self.unreached) ? named.map(nodeMissing) : nil
        case .sentinels(let sentinels):
            return says(Self.unreached) ? named.map { primaryMissing($0, sentinels) } : nil
        }
        switch address {
        case .unix(let path):
            if says("Permission denied") {
                let user = host.userName.shellWord
                let unit = configuration.places.unit.shellWord
                return "sudo usermod -aG redis \(user) && sudo systemctl restart \(unit)"
            }
            guard says("No such file or directory", "Connection refused") else { return nil }
            return redisMissing(path)
        case .tcp(let name, let port):
            if says("Connection refused"), name.isLoopback, port == 6_379 { return startRedis }
            guard says(Self.unreached) else { return nil }
            let check = "redis-cli -h \(name.shellWord) -p \(port) ping"
            return "\(check) has to find it: start Redis there, or correct \(setting)"
        }
    }

    static let unreached = ["Connection refused", "timed out", "No route to host", "unreachable"]

    private var passwordExample: String {
        switch configuration.redis.topology {
        case .server: "redis://:PASSWORD@host:6379/0"
        case .cluster: "redis://:PASSWORD@host:6379,host:6379/0"
        case .sentinels: "redis-sentinel://:PASSWORD@host:26379/0#name"
        }
    }

    private var startRedis: String {
        host.isRedisInstalled ? "sudo systemctl start redis-server" : "sudo apt install redis-server"
    }

    private static let redisSockets: Set<String> = [
        "/run/redis/redis-server.sock", "/var/run/redis/redis-server.sock",
    ]

    private func redisMissing(_ path: String) -> String {
        guard Self.redisSockets.contains(path) else {
            let setting = configuration.places.text(of: .redisURL)
            return "start Redis with 'unixsocket \(path)', or correct \(setting)"
        }
        // Debian's redis.conf has this line, commented out.
        return "\(startRedis), with 'unixsocket \(path)' in /etc/redis/redis.conf"
    }
}

extension ConnectRefusal.Reason {
    /// A standby has it from its primary, and it cannot be changed on the standby.
    fileprivate var isOfPrimary: Bool {
        switch self {
        case .noRole, .roleMayNotLogIn, .wrongPassword, .noDatabase, .noPermission: true
        case .noServer, .serverStarting, .tooManyConnections, .noPassword, .otherIdentity, .notLetIn, .unclear: false
        }
    }
}
