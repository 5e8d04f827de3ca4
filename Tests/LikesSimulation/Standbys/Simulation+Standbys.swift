extension Simulation {
    /// Does this to one of the standbys that `host` asks, where there are any. `clonedAt`: it is made anew then.
    func standby(of host: Int, clonedAt: Micros? = nil, _ strike: (StandbyServer) -> Void) {
        guard plan.standbysCount > 0 else { return }
        let postgres = postgres(of: host)
        let place = host % plan.standbysCount
        strike(postgres.standbys[place])
        guard let clonedAt else { return }
        scheduler.at(clonedAt, .standbyCloned, Int32(place), UInt32(postgres.number))
    }

    /// Counts that hosts took from standbys, and those that they asked of the primary instead.
    package var standbyCounts: (answered: Int64, refused: Int64) {
        var sum: (answered: Int64, refused: Int64) = (0, 0)
        for host in hosts {
            let now = host.process?.core.standbyCounts ?? (answered: 0, refused: 0)
            sum.answered += host.standbyCountsBefore.answered + now.answered
            sum.refused += host.standbyCountsBefore.refused + now.refused
        }
        return sum
    }
}
