/// How late requests of an open loop leave by the generator's own fault: not because no connection had room for them.
struct SendLag {
    /// Whether the next request waits for the daemon, not for its time.
    private(set) var isHeld = false
    /// Since when there has been room again.
    private var roomSinceNs: Int64 = 0

    /// No connection has room: until the next request is sent, all that are due wait for the daemon.
    mutating func held() { isHeld = true }

    /// The lag of a request that was due then and is sent now. What became due while there was no room has none,
    /// though working that off takes the generator some time.
    mutating func sent(dueNs: Int64, _ now: Int64) -> Int64 {
        if isHeld {
            isHeld = false
            roomSinceNs = now
        }
        return dueNs <= roomSinceNs ? 0 : now - dueNs
    }
}
