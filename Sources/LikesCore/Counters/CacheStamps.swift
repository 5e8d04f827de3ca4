/// The stamps that were given, and those of what has left the cache.
struct CacheStamps {
    private static let placesCount = 4_096
    /// No stamp is ever greater, so that `expireAll` can set the floor above all of them, even those given in the same
    /// microsecond.
    var max: Int64 = 0
    /// When what has left the cache was last known. Items share places, by their hash: a moment that is too late costs
    /// a read of the primary, no more. Empty until something has left.
    private var forgotten: [Int64] = []
    /// How old a standby's count was at most when it was stored.
    var standbyAgeMax: Int64 = 0

    func stamp(_ hash: UInt64) -> Int64 { forgotten.isEmpty ? 0 : forgotten[Self.place(hash)] }

    mutating func note(_ stamp: Int64, _ hash: UInt64) {
        if forgotten.isEmpty { forgotten = Array(repeating: 0, count: Self.placesCount) }
        let place = Self.place(hash)
        forgotten[place] = Swift.max(forgotten[place], stamp)
    }

    mutating func noteAll(_ stamp: Int64) {
        forgotten = (0..<Self.placesCount).map { Swift.max(forgotten.isEmpty ? 0 : forgotten[$0], stamp) }
    }

    private static func place(_ hash: UInt64) -> Int { Int(truncatingIfNeeded: hash) & (placesCount - 1) }
}
