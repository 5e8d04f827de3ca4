/// The scripts likesd loads into Redis. Each runs in slices, so that Redis serves others in between.
enum Script: Int, CaseIterable {
    case admit, setCounters, keepRecent

    var text: StaticString {
        switch self {
        case .admit: Script.admitText
        case .setCounters: Script.setCountersText
        case .keepRecent: Script.keepRecentText
        }
    }

    /// KEYS: for each change its user's rate key and recent likes; ARGV: the limit, the window in seconds, then for
    /// each change the member to look up, empty for none. Returns for each change −n: over the limit for n seconds;
    /// 1: admitted, and a recent like; 0: admitted.
    ///
    /// The window runs from the first request and is never extended. A rate key without a TTL would block its user
    /// for ever, whoever made it so: it gets one. What is no number is counted anew.
    private static let admitText: StaticString = """
        local limit, window = tonumber(ARGV[1]), tonumber(ARGV[2])
        local function mended(err)
            return string.find(err, 'WRONGTYPE', 1, true) or string.find(err, 'not an integer', 1, true)
                or string.find(err, 'overflow', 1, true)
        end
        local verdicts = {}
        for i = 1, #KEYS / 2 do
            local rate, recent, member = KEYS[2 * i - 1], KEYS[2 * i], ARGV[2 + i]
            local verdict = 0
            if limit > 0 then
                local count = redis.pcall('INCR', rate)
                if type(count) == 'table' then
                    if not mended(count.err) then return count end
                    redis.call('DEL', rate)
                    count = redis.call('INCR', rate)
                end
                local left = redis.call('PTTL', rate)
                if left < 0 then
                    redis.call('EXPIRE', rate, window)
                    left = window * 1000
                end
                if count > limit then verdict = -math.max(1, math.ceil(left / 1000)) end
            end
            if verdict == 0 and member ~= '' then
                local found = redis.pcall('SISMEMBER', recent, member)
                if type(found) == 'table' then
                    if not mended(found.err) then return found end
                elseif found == 1 then
                    verdict = 1
                end
            end
            verdicts[i] = verdict
        end
        return verdicts
        """

    /// KEYS: for each counter its key and its version's; ARGV: the TTL in seconds, then for each counter its count and
    /// version. Sets both unless Redis has a newer version; the same version renews the TTL.
    ///
    /// Versions are compared as decimals, by length and then as text: Lua's numbers are exact to 2^53 only. What is no
    /// version counts as none.
    private static let setCountersText: StaticString = """
        local function newer(old, new)
            if type(old) ~= 'string' or not string.find(old, '^[1-9]%d*$') then return false end
            if #old ~= #new then return #old > #new and #old <= 19 end
            return old > new
        end
        local ttl = ARGV[1]
        for i = 1, #KEYS / 2 do
            local counter, kept = KEYS[2 * i - 1], KEYS[2 * i]
            local count, version = ARGV[2 * i], ARGV[2 * i + 1]
            local old = redis.pcall('GET', kept)
            if not newer(old, version) then
                redis.call('SET', counter, count, 'EX', ttl)
                redis.call('SET', kept, version, 'EX', ttl)
            end
        end
        return 1
        """

    /// KEYS: for each change its user's recent likes; ARGV: the TTL in seconds, how many members a set may have, then
    /// for each change '+' or '-' and the member. A set that has too many loses others than the one just added.
    private static let keepRecentText: StaticString = """
        local ttl, most = ARGV[1], tonumber(ARGV[2])
        for i = 1, #KEYS do
            local key, change = KEYS[i], ARGV[2 + i]
            local member = string.sub(change, 2)
            if string.sub(change, 1, 1) == '+' then
                local added = redis.pcall('SADD', key, member)
                if type(added) == 'table' then
                    if not string.find(added.err, 'WRONGTYPE', 1, true) then return added end
                    redis.call('DEL', key)
                    redis.call('SADD', key, member)
                end
                local excess = redis.call('SCARD', key) - most
                if excess > 0 then
                    redis.call('SREM', key, member)
                    redis.call('SPOP', key, excess)
                    redis.call('SADD', key, member)
                end
                redis.call('EXPIRE', key, ttl)
            else
                local removed = redis.pcall('SREM', key, member)
                if type(removed) == 'table' then
                    if not string.find(removed.err, 'WRONGTYPE', 1, true) then return removed end
                    redis.call('DEL', key)
                end
            end
        end
        return 1
        """
}
