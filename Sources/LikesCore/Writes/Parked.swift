/// Changes that may not join the batch being gathered: the opposite of one in it, or one whose earlier change's count
/// is being read. Each waits in a line of its own connection and item, so that it holds up no others.
///
/// While a line is not empty, a change of it stands in the line behind the earlier ones, never in the queue ahead of
/// them.
struct Parked {
    private var lines: [OwnItem: Ring<ChangeIndex>] = [:]
    /// The lines in turn, each once, so that each gets its place in a batch.
    private var turns = Ring<OwnItem>()

    var linesCount: Int { turns.count }

    func hasLine(_ own: OwnItem) -> Bool { !lines.isEmpty && lines[own] != nil }

    mutating func append(_ index: ChangeIndex, to own: OwnItem) {
        if lines[own] == nil { turns.append(own) }
        lines[own, default: Ring()].append(index)
    }

    /// Calls `take` with the changes of the next line, in order, until it refuses one. The rest stay in the line.
    mutating func takeTurn(_ take: (ChangeIndex) -> Bool) {
        guard let own = turns.popFirst(), var line = lines.removeValue(forKey: own) else { return }
        while let index = line.first, take(index) { line.popFirst() }
        guard !line.isEmpty else { return }
        lines[own] = line
        turns.append(own)
    }

    /// Empties all lines, each in order.
    mutating func takeAll() -> [ChangeIndex] {
        var all: [ChangeIndex] = []
        while !turns.isEmpty {
            takeTurn { index in
                all.append(index)
                return true
            }
        }
        return all
    }

    func checkInvariants(_ changes: Changes) {
        precondition(turns.count == lines.count, "each line has its turn once")
        for (own, line) in lines {
            precondition(!line.isEmpty, "a line of nobody")
            for place in 0..<line.count { precondition(OwnItem(changes[line[place]]) == own, "in another's line") }
        }
    }
}
