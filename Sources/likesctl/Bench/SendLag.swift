/// How late requests of an open loop are sent through the generator's own fault, not because no connection had room.
struct SendLag {
    /// Whether the next request is due and waits for the daemon.
    private(set) var isHeld = false
    /// Since when there has been room again.
    private var roomSinceNs: Int64 = 0

    /// No connection has room. Until the next request is sent, all requests that are due wait for the daemon.
    mutating func held() { isHeld = true }

    /// The lag of a request that was due at `dueNs` and is sent now. Requests that became due while there was no room
    /// have none, although the generator takes some time to send them all.
    mutating func sent(dueNs: Int64, _ now: Int64) -> Int64 {
        if isHeld {
            isHeld = false
            roomSinceNs = now
        }
        return dueNs <= roomSinceNs ? 0 : now - dueNs
    }
}
