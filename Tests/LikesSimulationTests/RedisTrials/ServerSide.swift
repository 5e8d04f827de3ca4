import LikesCore
import LikesProtocol
import LikesSimulation
import LikesStorage

@testable import TestSupport
@testable import likesd

/// The real Redis, asked as the daemon asks it.
final class ServerSide {
    private let redis: RedisTester
    private let listener: RedisTester
    private let plan: Plan
    private let startMs: Int64
    private var isShort = false
    private var isRefusing = false
    /// Ends what a listener hears of one operation.
    private static let endChannel = "test:end"

    init(_ server: RedisServer, plan: Plan) throws {
        self.plan = plan
        redis = try server.connect(plan.configuration)
        listener = try server.connect(plan.configuration)
        for channel in [redis.channels.counters, redis.channels.host, Array(Self.endChannel.utf8)] {
            try listener.run("SUBSCRIBE", String(decoding: channel, as: UTF8.self))
        }
        let time = try redis.run("TIME").split(separator: " ").compactMap { Int64($0) }
        startMs = (time.first ?? 0) * 1_000
        try setFaults()
        try redis.run("FLUSHALL")
    }

    // MARK: Calls

    /// `serverWord`: what the server calls itself.
    func perform(_ request: RedisRequest, isLate: Bool, serverWord: String) throws -> RedisOutcome {
        let shift = RedisContents.toleranceSeconds * 1_000
        let jobs = RedisJob.jobs(of: request, on: serverWord).map { job in
            guard case .setCounters(let generation, let counters, .some) = job else { return job }
            return .setCounters(generation, counters, paceMs: plan.limits.tellMs)
        }
        let replies = try redis.perform(
            jobs, deadlineMs: isLate ? startMs - shift : startMs + shift)
        if let refusal = replies.refusal, replies.failure == nil, !RedisError.isOutOfMemory(refusal) {
            throw Failure(text: refusal)
        }
        return RedisOutcome(replies.answer(to: request, of: serverWord))
    }

    func beat(_ number: UInt64) throws {
        try redis.beat(number)
    }

    // MARK: What there is

    /// All keys, after which listeners are told that this is all.
    func contents() throws -> RedisContents {
        let lines = try redis.run("EVAL", Self.contentsText, "0", Self.endChannel)
        var contents = RedisContents()
        for line in lines.split(separator: "\n") {
            let parts = line.split(separator: "\t", omittingEmptySubsequences: false)
            guard parts.count == 3, let ttlMs = Int64(parts[2]) else { throw Failure(text: "no entry: \(line)") }
            let isVersion = parts[0].hasSuffix(RedisKeys.version.suffix.description)
            contents.entries[String(parts[0])] = RedisContents.Entry(
                value: isVersion ? RedisContents.withoutClock(String(parts[1])) : String(parts[1]),
                ttlSeconds: ttlMs < 0 ? nil : ttlMs / 1_000)
        }
        return contents
    }

    /// What was published before the last look at the contents.
    func heard() throws -> [RedisMessage] {
        var messages: [RedisMessage] = []
        let types = plan.configuration.itemTypes
        while true {
            let message: RedisMessage? = try listener.message { channel, payload in
                if channel == Self.endChannel { return nil }
                if Array(channel.utf8) == listener.channels.host,
                    let number = payload.withUnsafeBytes({ Decimal.parse($0) })
                {
                    return .beat(UInt64(number))
                }
                if let told = CounterMessage(payload, types: types), Array(channel.utf8) == listener.channels.counters {
                    return .counters(token: told.token, told.counters)
                }
                return .unknown("\(channel): \(String(decoding: payload, as: UTF8.self))")
            }
            guard let message else { return messages }
            messages.append(message)
        }
    }

    private static let contentsText = """
        local lines = {}
        for _, key in ipairs(redis.call('KEYS', '*')) do
            local value
            if redis.call('TYPE', key).ok == 'set' then
                local members = redis.call('SMEMBERS', key)
                table.sort(members)
                value = table.concat(members, ' ')
            else
                value = redis.call('GET', key)
            end
            lines[#lines + 1] = key .. '\\t' .. value .. '\\t' .. redis.call('PTTL', key)
        end
        redis.call('PUBLISH', ARGV[1], '')
        return table.concat(lines, '\\n')
        """

    // MARK: What happens to it

    func flush() throws { try undisturbed { try redis.run("FLUSHALL") } }

    func drop(_ keys: [StoredKey]) throws {
        try undisturbed { for key in keys { try redis.run("DEL", plan.name(key)) } }
    }

    func plant(_ marker: Generation) throws {
        try undisturbed { try redis.run("SET", plan.name(.plainMarker), marker.marker) }
    }

    /// The server's clock can't be set, TTLs can, and so can the times at which hosts were told.
    func pass(seconds: Int64) throws {
        let text = """
            for _, key in ipairs(redis.call('KEYS', '*')) do
                local left = redis.call('PTTL', key)
                if left >= 0 then redis.call('PEXPIRE', key, left - ARGV[1]) end
                local value = string.sub(key, -8) == ':version' and redis.call('GET', key)
                if value and tonumber(string.sub(value, -6)) then
                    redis.call('SET', key, string.sub(value, 1, -7) .. ARGV[2], 'KEEPTTL')
                end
            end
            """
        let now = try redis.run("TIME").split(separator: " ").first.flatMap { Int64($0) } ?? 0
        let told = VersionValue.told(atMs: now * 1_000 - 2 * plan.limits.tellMs, isUntold: false).dropFirst()
        try undisturbed { try redis.run("EVAL", text, "0", String(seconds * 1_000), String(told)) }
    }

    func setShort(_ isShort: Bool) throws {
        self.isShort = isShort
        try setFaults()
    }

    func setRefusing(_ isRefusing: Bool) throws {
        self.isRefusing = isRefusing
        try setFaults()
    }

    private func setFaults(areOn: Bool = true) throws {
        try redis.run("CONFIG", "SET", "maxmemory", areOn && isShort ? "1" : "0")
        try redis.run("CONFIG", "SET", "min-replicas-to-write", areOn && isRefusing ? "1" : "0")
    }

    /// Even where Redis would refuse it.
    private func undisturbed(_ body: () throws -> Void) throws {
        if isShort || isRefusing { try setFaults(areOn: false) }
        try body()
        if isShort || isRefusing { try setFaults() }
    }
}

extension Plan {
    /// As it stands in Redis.
    func name(_ key: StoredKey) -> String {
        switch key {
        case .counter(let place): RedisKeys.counter.of(name(items[place]))
        case .version(let place): RedisKeys.version.of(name(items[place]))
        case .recent(let place): RedisKeys.recentLikes.of(String(place + 1))
        case .rate(let place): RedisKeys.rate.of(String(place + 1))
        case .marker: "\(RedisKeys.marker)"
        }
    }

    func name(_ item: Item) -> String { "\(configuration.itemTypes.names[Int(item.type)]):\(item.id)" }
}
