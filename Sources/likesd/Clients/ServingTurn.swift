/// What serving clients has cost in a turn of the loop.
struct ServingTurn {
    /// The cost so far.
    var spent = 0
    /// How much of it went to each group that a part of the turn is kept for.
    var spentOn = Parts()
    /// Clients were served.
    var hasServed = false
    /// The core was given something in this round of clients, so its turn has to end.
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
