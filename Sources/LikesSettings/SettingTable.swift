import LikesProtocol

extension Setting {
    /// The settings, in the order in which documents and `--check-config` list them. A new one is an entry here and a
    /// property of `Configuration` with its default; `make generate` then writes it into the documents.
    package static let allCases: [Setting] = [
        Setting(
            "LIKESD_SOCKET", \.socketPath, .socketPath,
            SettingWords(
                .clients, "path",
                "The Unix socket where likesd listens. Under systemd, `likesd.socket` decides, and this setting is "
                    + "ignored.",
                details: "There it is `ListenStream=`. The path must not begin with an `@`. `likesctl` reads this "
                    + "setting from the environment alone, not from the file.")),
        Setting(
            "LIKESD_SOCKET_MODE", \.socketMode, .permissionBits,
            SettingWords(
                .clients, "octal",
                "The permission bits of likesd's Unix socket, in octal: who may connect. Under systemd, "
                    + "`likesd.socket` decides, and this setting is ignored.",
                details:
                    "There they are `SocketMode=` and `SocketGroup=`. Elsewhere the group is likesd's own or, in a "
                    + "setgid folder, the folder's (`chgrp likesd-clients FOLDER && chmod g+s FOLDER`).")),
        Setting(
            "DATABASE_URL", \.databaseURL, .databaseURL, isSecret: true,
            SettingWords(
                .backends, "url", "PostgreSQL, the source of truth.",
                examples: ["postgresql://user@host:5432/likes?sslmode=verify-full"],
                manualSection: "DATABASE URLS", documentSection: "DATABASE_URL")),
        Setting(
            "DATABASE_REPLICA_URLS", \.databaseReplicaURLs, .databaseURLs, isSecret: true,
            SettingWords(
                .backends, "url,...",
                "Standbys of PostgreSQL, separated by commas or blanks. Counts that the caches lack are read from "
                    + "them, if they are proven to be no older than LOCAL_CACHE_TTL_MS.",
                documentSection: "DATABASE_REPLICA_URLS")
        ),
        Setting(
            "REDIS_URL", \.redis, .redisURL, isSecret: true,
            SettingWords(
                .backends, "url", "Redis, the cache; version 6.2 or later.",
                examples: [
                    "redis://user:password@host:6379/0", "unix:///run/redis/redis-server.sock?db=0",
                    "redis-sentinel://host1:26379,host2:26379,host3:26379/0#mymaster",
                ],
                manualSection: "REDIS URLS", documentSection: "REDIS_URL")),
        // Everything in Redis may be kept for up to a year.
        Setting(
            "CACHE_TTL_SECONDS", \.cacheTTLSeconds, .number(in: 1...31_536_000), isReloadable: true,
            SettingWords(.kept, "seconds", "How many seconds a count stays in Redis, give or take two minutes.")),
        Setting(
            "RECENT_LIKES_TTL", \.recentLikesTTLSeconds, .number(in: 1...31_536_000), isReloadable: true,
            SettingWords(
                .kept, "seconds", "How many seconds a user's recent likes stay in Redis.",
                details: "They save PostgreSQL a write when a user repeats a like.")),
        // A set of a million takes some 60 MB of Redis.
        Setting(
            "RECENT_LIKES_MAX", \.recentLikesMax, .number(in: 1...1_000_000), isReloadable: true,
            SettingWords(.kept, "number", "How many recent likes are kept for each user.")),
        Setting(
            "RATE_LIMIT_REQUESTS", \.rateLimitRequests, .number(in: 0...1_000_000_000), isReloadable: true,
            SettingWords(
                .limits, "number",
                "How many LIKE and UNLIKE requests, together, a user may make in one window. 0 turns the limit off.",
                details: "Further ones get `RATELIMITED`.")),
        Setting(
            "RATE_LIMIT_WINDOW_SECONDS", \.rateLimitWindowSeconds, .number(in: 1...31_536_000), isReloadable: true,
            SettingWords(
                .limits, "seconds",
                "How many seconds a window of `RATE_LIMIT_REQUESTS` lasts. It begins with the user's first request in "
                    + "it.")),
        Setting(
            "ITEM_TYPES", \.itemTypes, .itemTypes,
            SettingWords(
                .clients, "name,...",
                "What can be liked: names separated by commas. A name has 1 to \(ItemTypes.nameLengthMax) of "
                    + "`a-z 0-9 _ -` and begins with a letter. Keep a type once it has been used: without it nobody "
                    + "can ask for its likes. After adding one, run `likesctl migrate`, then restart likesd.",
                details: "The order does not matter. In tables that were the reference service's, rows may have a "
                    + "number without a name, and it may be the new type's: then both refuse, and name the command "
                    + "that says so.")),
        Setting(
            "LOCAL_CACHE_ENTRIES", \.localCacheEntries, .number(in: 0...100_000_000),
            SettingWords(
                .kept, "number", "How many counts likesd keeps in its own memory, about 48 bytes each. 0 keeps none.")),
        Setting(
            "LOCAL_CACHE_TTL_MS", \.localCacheTTLMs, .number(in: 0...3_600_000), isReloadable: true,
            SettingWords(
                .kept, "milliseconds",
                "How many milliseconds a count in likesd's own memory is believed when no change by another host is "
                    + "heard of. 0: Redis is asked for every count.",
                details: "Hosts tell each other of changes at once, so this only bounds how old a count can be when a "
                    + "message is lost. While Redis is away, the bound is 10 seconds at most.")),
        // Below 10 ms PostgreSQL could not commit in time; beyond 10 minutes nobody waits any more.
        Setting(
            "REQUEST_TIMEOUT_MS", \.requestTimeoutMs, .number(in: 10...600_000),
            SettingWords(
                .limits, "milliseconds",
                "Every request is answered within this many milliseconds, with an error at the latest.",
                details: "The error is `UNAVAILABLE` or `UNCERTAIN`. `likesctl` reads this setting from the "
                    + "environment, and waits 2 seconds longer.")),
        // Replies wait this long for a hung Redis.
        Setting(
            "REDIS_TIMEOUT_MS", \.redisTimeoutMs, .number(in: 1...60_000),
            SettingWords(
                .limits, "milliseconds", "How many milliseconds a reply waits for Redis before likesd does without it.",
                details: "Redis then counts as gone until a new connection has answered.")),
        Setting(
            "MAX_CONNECTIONS", \.connectionsMax, .number(in: 1...100_000), isReloadable: true,
            SettingWords(
                .clients, "number",
                "How many clients may be connected at once. Under systemd, 3 more connections are kept for root and "
                    + "likesd's own user. Each client takes a file descriptor: raise the unit's "
                    + "`LimitNOFILE=` with it.",
                details: "One client more gets `BUSY` and is closed. `LimitNOFILE=` is 65536, and has to stay larger."
            )),
        Setting(
            "MAX_CONNECTIONS_PER_USER", \.connectionsPerUserMax, .number(in: 0...100_000), isReloadable: true,
            SettingWords(
                .clients, "number",
                "How many connections one user may have, so that others still get in. 0: three quarters of "
                    + "`MAX_CONNECTIONS`. Root and likesd's own user have no such limit. In the unit's user namespace "
                    + "users cannot be told apart: there it is the limit of one process.",
                details: "One connection more gets `BUSY` and is closed. Three quarters are rounded down, but to at "
                    + "least 1. The unit has a user namespace (`PrivateUsers=`) until the drop-in "
                    + "`examples/drop-ins/users-apart.conf` is installed.")),
        // Below 1 MiB, a well-behaved client might hold more than all clients may.
        Setting(
            "CLIENT_MEMORY_MAX_BYTES", \.clientMemoryBytesMax, .numberOrNone(in: 1_048_576...1_099_511_627_776),
            isReloadable: true,
            SettingWords(
                .clients, "bytes",
                "How many bytes all clients together may make likesd hold: requests begun, requests waiting, replies "
                    + "not read. Above it, the clients that hold most are closed. 0: half of what the unit may take "
                    + "(`MemoryHigh=`, `MemoryMax=`), or 256 MiB where it has no limit.",
                details: "Of the two limits the lower one counts. Clients are closed one after the other, and what a "
                    + "client has not read for a second counts four times.",
                documentSection: "Clients' memory")),
        Setting(
            "LOG_LEVEL", \.logLevel, .logLevel, isReloadable: true,
            SettingWords(
                .log, "level", "What is logged: messages of this level, and all that are more serious.",
                details: "The log goes to standard error, with systemd's priorities.")),
    ]
}
