/// Which database this is, and which of its pasts: a server promoted in place of another begins its own timeline, and
/// restored tables are different tables.
package struct DatabaseIdentity: Hashable, Sendable {
    /// PostgreSQL's system identifier, digits.
    package var system: String
    package var timeline: Int64
    /// The database, its tables, and the counters' file: numbers and dots, no spaces, no colons.
    package var tables: String

    /// PostgreSQL counts timelines in 32 bits.
    package static let timelineMax: Int64 = 4_294_967_295

    package init(system: String, timeline: Int64, tables: String = "0") {
        self.system = system
        self.timeline = timeline
        self.tables = tables
    }

    /// Bytes of a word in which a server identifies itself.
    private static let wordBytesMax = 128

    /// The same value, if its words can stand in Redis' marker.
    package func checked() throws(Misfit) -> DatabaseIdentity {
        let isSound = [system, tables].allSatisfy { word in
            (1...Self.wordBytesMax).contains(word.utf8.count)
                && word.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F && $0 != UInt8(ascii: ":") }
        }
        guard isSound else { throw Misfit("an invalid database identity") }
        return self
    }

    /// Whether both are the same database, on any timeline.
    package func isSameDatabase(_ other: DatabaseIdentity) -> Bool { system == other.system && tables == other.tables }
}
