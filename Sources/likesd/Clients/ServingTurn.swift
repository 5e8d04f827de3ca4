/// What serving clients has come to in a turn of the loop.
struct ServingTurn {
    /// What it has cost.
    var spent = 0
    /// What of it each of these has taken of the part that is kept for it.
    var spentOn = Parts()
    /// Clients were served.
    var hasServed = false
    /// The core was given something in this round of clients: its turn is to end.
    var hasGiven = false

    struct Parts {
        var established = 0
        var newcomers = 0
        var gone = 0
    }

    /// Whether there is time for more.
    var mayTakeMore: Bool { spent < EdgeLimits.turnCostMax }

    /// The next turn of the loop.
    mutating func began() {
        spent = 0
        spentOn = Parts()
        hasServed = false
    }
}
