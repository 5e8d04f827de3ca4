import LikesStorage

/// The scripts that likesd loads into Redis. Those that take many entries run in slices, so that Redis serves others in
/// between.
enum Script: Int, CaseIterable {
    case identify, admit, setCounters, drop, keepRecent, tell
    // Of a cluster's node only.
    case read, probe

    /// SHA-1 in hexadecimal digits.
    static let hashBytes = 40

    /// How it is handed its keys. The text is the same but for what stands in front of it.
    enum Form: Int, CaseIterable {
        /// All are declared, so that Redis puts them into KEYS.
        case plain
        /// Their number and the keys themselves come first in ARGV, behind those that are declared. They may be of all
        /// slots that the node has.
        case gathered
        /// Those of one item are declared. There is no marker to look at.
        case single
    }

    func text(_ form: Form) -> String {
        switch form {
        case .plain: body
        case .gathered: Script.gathering + body
        case .single: Script.withoutMarker + body
        }
    }

    private var body: String {
        switch self {
        case .identify: Script.startOf + Script.identifyText
        case .admit: Script.elsewhere + Script.admitText
        case .setCounters: Script.startOf + Script.elsewhere + Script.setCountersText
        case .drop: Script.startOf + Script.elsewhere + Script.dropText
        case .keepRecent: Script.elsewhere + Script.keepRecentText
        case .tell: Script.startOf + Script.elsewhere + Script.tellText
        case .read: Script.elsewhere + Script.readText
        case .probe: Script.probeText
        }
    }

    private static let gathering = """
        local KEYS, ARGV = (function(given, words)
            local keys, arguments, count = {}, {}, tonumber(words[1])
            for i = 1, #given do keys[i] = given[i] end
            for i = 2, count + 1 do keys[#keys + 1] = words[i] end
            for i = count + 2, #words do arguments[i - count - 1] = words[i] end
            return keys, arguments
        end)(KEYS, ARGV)

        """

    private static let withoutMarker = """
        local KEYS = {false, unpack(KEYS)}

        """

    /// Reads one byte more than a value of likesd's can have, and no further: reading all of a stranger's value could
    /// cost the call its time. A Redis user that may GET but not GETRANGE, as earlier versions of likesd allowed, reads
    /// all of it.
    private static let startOf = """
        local function start_of(key, last)
            local value = redis.pcall('GETRANGE', key, 0, last)
            if type(value) == 'table' and not string.find(value.err, 'WRONGTYPE', 1, true) then
                value = redis.pcall('GET', key) or ''
            end
            return value
        end

        """

    /// In a cluster: `elsewhere`: whether a reply says that the node does not have the key, because its slot is on its
    /// way to another one or was moved there. `unlink`: deletes what the node has of two keys of one slot, of which one
    /// may be elsewhere: then a command cannot have both.
    private static let elsewhere = """
        local function elsewhere(reply)
            return type(reply) == 'table' and reply.err and string.find(reply.err, 'non local key', 1, true)
        end
        local function unlink(counter, kept)
            local done = redis.pcall('UNLINK', counter, kept)
            if type(done) ~= 'table' then return end
            if not elsewhere(done) then redis.call('UNLINK', counter, kept) end
            redis.pcall('UNLINK', counter)
            redis.pcall('UNLINK', kept)
        end

        """
}

/// How likesd speaks to a Redis server.
enum RedisStyle {
    /// It has all slots. All keys of a script are declared.
    case oneServer
    /// A node of a cluster that lets a script use all keys of the node.
    case cluster
    /// A node of a cluster that lets a script use declared keys only, which have to be of one slot: a command has one
    /// item.
    case strictCluster

    /// The scripts to load. A cluster's node shows only later which of the two it is.
    static func scripts(ofCluster isCluster: Bool) -> [(Script, Script.Form)] {
        let styles: [RedisStyle] = isCluster ? [.cluster, .strictCluster] : [.oneServer]
        return Script.allCases.flatMap { script in
            Script.Form.allCases.filter { form in styles.contains { $0.form(of: script) == form } }.map { (script, $0) }
        }
    }

    /// nil: it is not used.
    func form(of script: Script) -> Script.Form? {
        switch (self, script) {
        case (.oneServer, .read), (.oneServer, .probe), (.strictCluster, .read): nil
        case (.oneServer, _), (_, .identify), (_, .probe): .plain
        case (.cluster, _), (.strictCluster, .admit): .gathered
        case (.strictCluster, .setCounters), (.strictCluster, .tell): .single
        case (.strictCluster, .drop), (.strictCluster, .keepRecent): .plain
        }
    }
}
