/// The requests of an open loop: when each is due, and how late it is sent.
struct BenchArrivals {
    private var schedule: ArrivalSchedule
    /// When the next request is due.
    private(set) var dueNs: Int64
    /// When the last request sent was due.
    private(set) var lastDueNs: Int64 = 0
    private var lag = SendLag()

    init(rate: Int64, seed: Int64) {
        schedule = ArrivalSchedule(rate: rate, seed: UInt64(seed))
        dueNs = schedule.next()
    }

    /// When to send the next request; nil: as soon as a connection has room.
    var sendNs: Int64? { lag.isHeld ? nil : dueNs }

    /// No connection has room for the next one.
    mutating func held() { lag.held() }

    /// The next request is sent now. Returns how late it is through the generator's own fault.
    mutating func sent(_ now: Int64) -> Int64 {
        let lagNs = lag.sent(dueNs: dueNs, now)
        lastDueNs = dueNs
        dueNs = schedule.next()
        return lagNs
    }

    /// How many requests not sent yet are due in this time.
    func unsent(from beginNs: Int64, until endNs: Int64) -> Int64 {
        var rest = schedule
        let drawnMax = BenchLimits.unsentDrawnMax
        let skipped = rest.skip(from: dueNs, before: min(beginNs, endNs), drawnMax: drawnMax)
        return rest.skip(from: skipped.nextNs, before: endNs, drawnMax: drawnMax).count
    }
}
