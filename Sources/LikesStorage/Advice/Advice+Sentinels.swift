import LikesSettings

// What to do about Sentinels, and about the server that they name.
extension Advice {
    private var setting: String { configuration.places.text(of: .redisURL) }

    /// The server that the Sentinels named does not answer. They notice it as well, unless only this host cannot reach
    /// it.
    func primaryMissing(_ named: RedisEndpoint.Address, _ sentinels: RedisSentinels) -> String {
        let failover = sentinels.addresses.first.map {
            ", or have another server promoted: \(Self.client($0)) sentinel failover \(sentinels.name.shellWord)"
        }
        return "\(Self.client(named)) ping has to find it: start Redis there\(failover ?? "")"
    }

    /// A Sentinel could not be asked, or refused. `reason`: the words of hiredis or of the Sentinel.
    package func sentinel(_ address: RedisEndpoint.Address, _ reason: String) -> String {
        func says(_ words: String...) -> Bool { words.contains { reason.contains($0) } }
        if says("no password is set", "without any password configured") {
            return "take sentinel_password out of \(setting)"
        }
        if says("NOAUTH") {
            return "put the Sentinels' password into \(setting), as in ?sentinel_password=PASSWORD#name"
        }
        if says("WRONGPASS", "invalid password") { return "correct sentinel_password in \(setting)" }
        if says("NOPERM") {
            return "let the Sentinels' user do it: ACL SETUSER NAME +auth +sentinel|master "
                + "+sentinel|get-master-addr-by-name +subscribe &\(SentinelAnswers.channel)"
        }
        return "\(Self.client(address)) ping has to find it: start the Sentinel there, or correct \(setting)"
    }

    /// The server answers, but names no primary.
    package func sentinel(_ address: RedisEndpoint.Address, _ trouble: SentinelTrouble) -> String {
        switch trouble {
        case .refused(let words): sentinel(address, words)
        case .noSentinel: "name a Sentinel (its port is usually 26379), not a Redis server, in \(setting)"
        case .unknownName:
            "correct the name behind the # in \(setting), which is one of those that "
                + "\(Self.client(address)) sentinel masters lists"
        }
    }

    /// All that the Sentinels name is older than what was named before.
    package var deposed: String {
        "start the Sentinels that know of it, and wait until all agree; if all Sentinels were set up anew, "
            + "sudo systemctl restart \(configuration.places.unit.shellWord)"
    }

    /// Two servers have the same epoch.
    package func contradiction(_ sentinels: RedisSentinels) -> String {
        let name = sentinels.name.shellWord
        return "have all Sentinels watch one server as \(name): sentinel remove \(name), then sentinel monitor \(name)"
    }

    static func client(_ address: RedisEndpoint.Address) -> String {
        switch address {
        case .tcp(let host, let port): "redis-cli -h \(host.shellWord) -p \(port)"
        case .unix(let path): "redis-cli -s \(path.shellWord)"
        }
    }
}

extension SentinelTrouble {
    /// In words. `name`: the primary's.
    package func text(_ name: String) -> String {
        switch self {
        case .unknownName: "it knows no primary named \(name)"
        case .noSentinel: "it is not a Sentinel"
        case .refused(let words): words
        }
    }
}
