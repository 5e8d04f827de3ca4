import LikesProtocol
import LikesStorage

extension LocalCache {
    /// 32 bytes.
    struct Entry {
        var id: Int64
        var count: Int64
        /// From the top: the group, 8 bits; the version, of which no real history reaches 2^53.
        private var groupAndVersion: UInt64
        /// From the top: when the entry was last known to be true, in microseconds (enough for 8 years); how many
        /// seconds it is fresh at most, 5 bits; the marks; the type, 8 bits.
        private var packed: UInt64

        private static let useMark: UInt64 = 1 << 8
        private static let newsMark: UInt64 = 1 << 9
        private static let standbyMark: UInt64 = 1 << 10
        private static let secondsShift: UInt64 = 11
        private static let secondsMask: UInt64 = 31
        private static let stampShift: UInt64 = 16

        private static let groupShift: UInt64 = 56

        init(_ counter: CounterState, stamp: Int64, secondsMax: Int?, group: UInt8) {
            id = counter.item.id
            count = counter.count
            groupAndVersion = UInt64(group) << Entry.groupShift
            packed = UInt64(stamp) << Entry.stampShift | UInt64(counter.item.type)
            self.secondsMax = secondsMax
            version = counter.version
        }

        var version: Int64 {
            get { Int64(groupAndVersion & (1 << Entry.groupShift - 1)) }
            set {
                let version = UInt64(min(max(newValue, 0), 1 << Entry.groupShift - 1))
                groupAndVersion = UInt64(group) << Entry.groupShift | version
            }
        }
        var group: UInt8 {
            get { UInt8(groupAndVersion >> Entry.groupShift) }
            set {
                groupAndVersion = UInt64(newValue) << Entry.groupShift | UInt64(version)
            }
        }
        var type: UInt8 { UInt8(truncatingIfNeeded: packed) }
        var stamp: Int64 {
            get { Int64(packed >> Entry.stampShift) }
            set { packed = packed & (1 << Entry.stampShift - 1) | UInt64(newValue) << Entry.stampShift }
        }
        var isUsed: Bool {
            get { packed & Entry.useMark != 0 }
            set { packed = newValue ? packed | Entry.useMark : packed & ~Entry.useMark }
        }
        /// 1 … 31; nil: as long as the TTL.
        var secondsMax: Int? {
            get {
                let seconds = packed >> Entry.secondsShift & Entry.secondsMask
                return seconds > 0 ? Int(seconds) : nil
            }
            set {
                let seconds = UInt64(min(max(newValue ?? 0, 0), Int(Entry.secondsMask)))
                packed = packed & ~(Entry.secondsMask << Entry.secondsShift) | seconds << Entry.secondsShift
            }
        }
        /// Its version arrived after the stamp.
        var isNews: Bool {
            get { packed & Entry.newsMark != 0 }
            set { packed = newValue ? packed | Entry.newsMark : packed & ~Entry.newsMark }
        }
        /// A standby told its version, and nobody else has yet. The stamp is the moment as of which that was fresh.
        var isFromStandby: Bool {
            get { packed & Entry.standbyMark != 0 }
            set { packed = newValue ? packed | Entry.standbyMark : packed & ~Entry.standbyMark }
        }
        var state: CounterState {
            CounterState(item: Item(type: type, id: id), count: count, version: version)
        }
    }
}
