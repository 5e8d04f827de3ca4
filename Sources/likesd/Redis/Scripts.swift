import LikesStorage

// The scripts' texts. In a cluster each item is tried by itself: what the node does not have is left out, and said to
// be elsewhere.
extension Script {
    /// KEYS: for each change its user's rate key and recent likes; ARGV: the limit, the window in seconds, then for
    /// each change the member to look up, empty for none. Without a rate key nothing is counted. Returns for each one
    /// −n: over the limit for n seconds; 0: admitted; 1: admitted, and a recent like; 2: the rate is elsewhere, so
    /// nothing was counted; 3: admitted, but the recent likes are elsewhere.
    ///
    /// The window runs from the first request and is never extended. A window that was longer before a change of
    /// settings ends within the present length. A rate key without a TTL would block its user for ever, whoever created
    /// it, so it gets one. A value that is not a number is counted from the start.
    static let admitText = """
        local limit, window = tonumber(ARGV[1]), tonumber(ARGV[2])
        local function mended(err)
            return string.find(err, 'WRONGTYPE', 1, true) or string.find(err, 'not an integer', 1, true)
                or string.find(err, 'overflow', 1, true)
        end
        local verdicts = {}
        for i = 1, #KEYS / 2 do
            local rate, recent, member = KEYS[2 * i - 1], KEYS[2 * i], ARGV[2 + i]
            local verdict = 0
            if limit > 0 and rate ~= '' then
                local count = redis.pcall('INCR', rate)
                if type(count) == 'table' and mended(count.err) then
                    redis.call('DEL', rate)
                    count = redis.pcall('INCR', rate)
                end
                if elsewhere(count) then
                    verdict = 2
                elseif type(count) == 'table' then
                    return count
                else
                    local left = count > 1 and redis.call('PTTL', rate) or -1
                    if left < 0 or left > window * 1000 then
                        redis.call('EXPIRE', rate, window)
                        left = window * 1000
                    end
                    if count > limit then verdict = -math.max(1, math.ceil(left / 1000)) end
                end
            end
            if verdict == 0 and member ~= '' then
                local found = redis.pcall('SISMEMBER', recent, member)
                if elsewhere(found) then
                    verdict = 3
                elseif type(found) == 'table' then
                    if not mended(found.err) then return found end
                elseif found == 1 then
                    verdict = 1
                end
            end
            verdicts[i] = verdict
        end
        return verdicts
        """

    /// KEYS: the marker, then for each counter its key and its version's; ARGV: the marker as it must be, its token,
    /// the deadline in milliseconds of Redis' clock, the TTL in seconds, the channel on which all hosts are told
    /// (empty: none is), the pace in milliseconds, then for each counter its count, and its version with its seal. Sets
    /// both unless Redis has a newer version; the same version renews the TTL. Returns 1; 0: too late, nothing was
    /// done; -1: another marker, nothing was done; the words of an error: there was no room, and counters were dropped
    /// instead. If nothing else is to be reported and there are untold counters, or Redis had counters that look newer,
    /// it returns the number of the former, their places, from 1, and of each of the latter its place, its count, and
    /// its version with its seal. If items are elsewhere, the node has nothing left of them, and before all that stand
    /// their number, negative, and their places.
    ///
    /// All hosts are told of the counters that were not refused, in the order in which they were set: whoever hears of
    /// an older one after a newer knows that Redis had lost the newer. Of an item of which hosts were told within the
    /// pace they are not told yet: it is marked as untold (`VersionValue`), and `tell` does it later. Each value is
    /// written as if they were told now, and written again if they are not: so only hot items cost a third command. A
    /// fill keeps the mark of what it replaces, since a host still owes the telling.
    ///
    /// Versions are compared as decimals, by length and then as text: Lua's numbers are exact only up to 2^53. The seal
    /// behind each, `Seal.textBytes` and a colon, and the time of the telling have fixed lengths. What is not a version
    /// of this marker's counts as none; the host that hears of it can tell whether a host wrote it. Nothing is read
    /// that may be long and cost the call its time, except for what the same command replaces.
    ///
    /// The version is set first, by a command that returns the previous one, which is put back if it was newer, for as
    /// long as its counter has to live. Looking at each beforehand would be a third command for each counter.
    ///
    /// Redis checks for short memory only before a script's first write, so either the version's first SET fails or
    /// none does. From the first failure on, all counters are dropped: each UNLINK would let the next SET in, over the
    /// limit.
    static let setCountersText = """
        local marker, prefix, deadline, ttl, channel = ARGV[1], ARGV[2] .. '.', tonumber(ARGV[3]), ARGV[4], ARGV[5]
        local pace, time = tonumber(ARGV[6]), redis.call('TIME')
        local now = time[1] * 1000 + math.floor(time[2] / 1000)
        if now > deadline then return 0 end
        local pcall, call, sub = redis.pcall, redis.call, string.sub
        if KEYS[1] then
            local found = start_of(KEYS[1], #marker)
            if type(found) == 'table' and not string.find(found.err, 'WRONGTYPE', 1, true) then return found end
            if found ~= marker then return -1 end
        end
        local width = #prefix
        local most = width + 44
        local clock = now % 1000000
        local tells = channel ~= ''
        local ending = tells and string.format(':%06d', clock) or ':------'
        local function newer(old, new)
            if type(old) ~= 'string' or sub(old, 1, width) ~= prefix or #old > most then return false end
            return #old > #new or (#old == #new and sub(old, 1, -26) > sub(new, 1, -26))
        end
        local function ending_after(old)
            local told = tonumber(sub(old, -6))
            local early = told and (clock - told) % 1000000 < pace
            if not early and (tells or sub(old, -7, -7) ~= '!') then return nil end
            if sub(old, 1, width) ~= prefix or #old > most then return nil end
            return tells and '!' .. sub(old, -6) or sub(old, -7)
        end
        local refusal, untold, kept_newer, moved
        local message, last = {ARGV[2]}, 1
        for i = 1, (#KEYS - 1) / 2 do
            local counter, kept = KEYS[2 * i], KEYS[2 * i + 1]
            local count, version = ARGV[2 * i + 5], ARGV[2 * i + 6]
            local new = prefix .. version .. ending
            local old, left, trouble
            if refusal then
                old = start_of(kept, most)
            else
                old = pcall('SET', kept, new, 'EX', ttl, 'GET')
            end
            if type(old) == 'table' then
                if sub(old.err, 1, 3) == 'OOM' then
                    refusal = old.err
                    old = start_of(kept, most)
                elseif string.find(old.err, 'WRONGTYPE', 1, true) then
                    if not refusal then
                        call('DEL', kept)
                        trouble = pcall('SET', kept, new, 'EX', ttl).err
                    end
                else
                    trouble = old.err
                end
                if type(old) == 'table' and elsewhere(old) then trouble = old.err end
            end
            local is_newer = newer(old, new)
            if not trouble and is_newer then
                left = pcall('PTTL', counter)
                trouble = type(left) == 'table' and left.err
            elseif not trouble and not refusal then
                trouble = pcall('SET', counter, count, 'EX', ttl).err
            end
            if trouble then
                if not elsewhere({err = trouble}) then return {err = trouble} end
                unlink(counter, kept)
                moved = moved or {}
                moved[#moved + 1] = i
            elseif is_newer then
                kept_newer = kept_newer or {}
                local count_kept = start_of(counter, 20)
                if type(count_kept) ~= 'string' or #count_kept > 20 then count_kept = '' end
                kept_newer[#kept_newer + 1] = i
                kept_newer[#kept_newer + 1] = count_kept
                kept_newer[#kept_newer + 1] = sub(old, width + 1, -8)
                if not refusal then
                    if left <= 0 or left > ttl * 1000 then left = ttl * 1000 end
                    call('SET', kept, old, 'PX', left)
                end
            else
                local other = not refusal and type(old) == 'string' and ending_after(old)
                if refusal then unlink(counter, kept) end
                if other then call('SET', kept, prefix .. version .. other, 'EX', ttl) end
                if other and tells then
                    untold = untold or {}
                    untold[#untold + 1] = i
                else
                    local item = sub(counter, \(RedisKeys.counter.prefix.utf8CodeUnitCount + 1))
                    message[last + 1], message[last + 2], message[last + 3] = item, count, version
                    last = last + 3
                end
            end
        end
        if tells and message[2] then redis.call('PUBLISH', channel, table.concat(message, ' ')) end
        local report = {}
        if moved then
            report[1] = -#moved
            for _, place in ipairs(moved) do report[#report + 1] = place end
        end
        if refusal or not (untold or kept_newer) then
            if not moved then return refusal or 1 end
            report[#report + 1] = refusal or 0
            return report
        end
        report[#report + 1] = untold and #untold or 0
        for _, place in ipairs(untold or {}) do report[#report + 1] = place end
        for _, word in ipairs(kept_newer or {}) do report[#report + 1] = word end
        return report
        """

    /// KEYS: for each counter its key and its version's; ARGV: for each the value that its version must have, up to the
    /// time of the telling. Deletes those that have it. Returns how many were looked at; -1: some are elsewhere.
    static let dropText = """
        local moved
        for i = 1, #ARGV do
            local counter, kept = KEYS[2 * i - 1], KEYS[2 * i]
            local found = start_of(kept, #ARGV[i] + 7)
            moved = moved or elsewhere(found)
            if type(found) == 'string' and string.sub(found, 1, -8) == ARGV[i] then unlink(counter, kept) end
        end
        return moved and -1 or #ARGV
        """

    /// KEYS: the marker, then for each counter its key and its version's; ARGV: the marker as it must be, its token,
    /// the channel, the pace in milliseconds, then for each counter its count, and its version with its seal, as they
    /// were set. Tells all hosts of those of which they were not told since, and of which they may be told again: of
    /// what Redis has now, so that messages come in the order of what Redis had. Returns for each counter 1: they were
    /// told; 0: too early; -1: Redis has it no more, or an older one; -2: it is elsewhere. Instead -1 alone: another
    /// marker, nothing was done.
    ///
    /// The count of the version that was set is told as it was given, and may have been replaced in Redis. Of a newer
    /// one only what looks like a count and a version gets into the message: anything else could make the words behind
    /// it mean something else.
    ///
    /// Without room for the time of the telling hosts are told all the same, perhaps more than once.
    static let tellText = """
        local marker, prefix, channel, pace = ARGV[1], ARGV[2] .. '.', ARGV[3], tonumber(ARGV[4])
        if KEYS[1] then
            local found = start_of(KEYS[1], #marker)
            if type(found) == 'table' and not string.find(found.err, 'WRONGTYPE', 1, true) then return found end
            if found ~= marker then return -1 end
        end
        local time = redis.call('TIME')
        local clock = (time[1] * 1000 + math.floor(time[2] / 1000)) % 1000000
        local sub, width = string.sub, #prefix
        local most = width + 44
        -- What to tell of the item, if Redis has at least this version.
        local function there(counter, old, count, version)
            if sub(old, 1, width) ~= prefix or #old > most then return nil end
            local kept = sub(old, width + 1, -8)
            local has, asked = sub(kept, 1, -19), sub(version, 1, -19)
            if has == asked then return count, version end
            if #has < #asked or (#has == #asked and has < asked) then return nil end
            local count_kept = start_of(counter, 20)
            if type(count_kept) ~= 'string' or #count_kept > 20 or not string.find(count_kept, '^-?%d+$') then
                return nil
            end
            if not string.find(kept, '^%d+:[%w_-]+$') then return nil end
            return count_kept, kept
        end
        local outcomes, message = {}, {ARGV[2]}
        for i = 1, (#KEYS - 1) / 2 do
            local counter, kept = KEYS[2 * i], KEYS[2 * i + 1]
            local old = start_of(kept, most)
            local moved = elsewhere(old)
            if type(old) == 'table' then
                if not moved and not string.find(old.err, 'WRONGTYPE', 1, true) then return old end
                old = ''
            end
            local count, version = there(counter, old, ARGV[2 * i + 3], ARGV[2 * i + 4])
            local told = tonumber(sub(old, -6))
            if not count then
                outcomes[i] = moved and -2 or -1
            elseif told and sub(old, -7, -7) ~= '!' then
                outcomes[i] = 1
            elseif told and (clock - told) % 1000000 < pace then
                outcomes[i] = 0
            else
                local value = prefix .. version .. string.format(':%06d', clock)
                local done = redis.pcall('SET', kept, value, 'KEEPTTL')
                if type(done) == 'table' and done.err and sub(done.err, 1, 3) ~= 'OOM' then return done end
                local item = sub(counter, \(RedisKeys.counter.prefix.utf8CodeUnitCount + 1))
                for _, word in ipairs({item, count, version}) do message[#message + 1] = word end
                outcomes[i] = 1
            end
        end
        if message[2] then redis.call('PUBLISH', channel, table.concat(message, ' ')) end
        return outcomes
        """

    /// KEYS: the marker; ARGV: the new one, empty to make none, and the one that it is to replace, empty if there is
    /// none. Returns the marker that is there afterwards, empty for none: if another host was first, that host's. A
    /// value that is far longer than any marker, not plain ASCII, or not a string, counts as none.
    ///
    /// A new marker is written even if memory is short: without it nothing in Redis could be used. After a first write
    /// of its own, the DEL, a script is refused no further one.
    static let identifyText = """
        local new, instead = ARGV[1], ARGV[2]
        local marker = start_of(KEYS[1], 512)
        if type(marker) == 'table' and not string.find(marker.err, 'WRONGTYPE', 1, true) then return marker end
        if type(marker) ~= 'string' or #marker > 512 or string.find(marker, '[^ -~]') then marker = '' end
        if new == '' or marker ~= instead then return marker end
        redis.call('DEL', KEYS[1])
        redis.call('SET', KEYS[1], new)
        return new
        """

    /// KEYS: for each change its user's recent likes; ARGV: the TTL in seconds, how many members a set may have, how
    /// many of the changes, the first ones, add their member, then the members; the other changes remove theirs. A set
    /// that has too many loses others than the one just added. Returns 1; -1: some are elsewhere.
    static let keepRecentText = """
        local ttl, most, adds = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
        local pcall, call = redis.pcall, redis.call
        local moved
        for i = 1, #KEYS do
            local key, member = KEYS[i], ARGV[3 + i]
            local verb = i <= adds and 'SADD' or 'SREM'
            local done = pcall(verb, key, member)
            if type(done) == 'table' and string.find(done.err, 'WRONGTYPE', 1, true) then
                call('DEL', key)
                done = pcall(verb, key, member)
            end
            if i <= adds and type(done) ~= 'table' then
                local excess = call('SCARD', key) - most
                if excess > 0 then
                    call('SREM', key, member)
                    call('SPOP', key, excess)
                    done = pcall('SADD', key, member)
                end
            end
            if elsewhere(done) then
                moved = true
            elseif type(done) == 'table' then
                return done
            elseif i <= adds then
                call('EXPIRE', key, ttl)
            end
        end
        return moved and -1 or 1
        """

    /// KEYS: the marker, then for each item its counter's key and its version's. Returns the marker, then for each item
    /// its count and its version. Behind that, if items are elsewhere, how many. One MGET for all would be refused: its
    /// keys have to be of one slot.
    static let readText = """
        local marker = redis.pcall('MGET', KEYS[1])
        if marker.err then return marker end
        local reply, moved = {marker[1]}, 0
        for i = 2, #KEYS, 2 do
            local found = redis.pcall('MGET', KEYS[i], KEYS[i + 1])
            if elsewhere(found) then
                found, moved = {false, false}, moved + 1
            elseif found.err then
                return found
            end
            reply[i], reply[i + 1] = found[1], found[2]
        end
        if moved > 0 then reply[#KEYS + 1] = moved end
        return reply
        """

    /// A key of the node's, in KEYS or in ARGV: whether a script may read it.
    static let probeText = """
        local found = redis.pcall('MGET', KEYS[1] or ARGV[1])
        if found.err then return found end
        return 1
        """
}
