/// What the files of cgroups version 2 say.
package enum CgroupMemory {
    /// The process' own path, from /proc/self/cgroup: the line `0::/system.slice/likesd.service`.
    package static func path(in text: String) -> String? {
        for line in text.split(separator: "\n") where line.hasPrefix("0::/") { return String(line.dropFirst(3)) }
        return nil
    }

    /// The path's folder, and those above it up to the root, which is empty.
    package static func folders(of path: String) -> [String] {
        var names = path.split(separator: "/")
        var folders: [String] = []
        while true {
            folders.append(names.map { "/" + $0 }.joined())
            guard names.popLast() != nil else { return folders }
        }
    }

    /// The bytes that memory.high or memory.max holds; nil: `max`, which is no limit.
    package static func limit(in text: String) -> Int64? {
        guard let word = text.split(separator: "\n").first else { return nil }
        return Int64(word)
    }
}
