/// Virtual time, what is to happen, and the one source of chance: what every simulated part shares.
package final class Scheduler {
    package private(set) var now: Micros = 0
    package var chance: Chance
    package var coverage = Coverage()
    private var queue = EventQueue()

    package init(seed: UInt64) { chance = Chance(seed: seed) }

    package func after(_ delay: Micros, _ kind: EventKind, _ a: Int32, _ b: UInt32 = 0) {
        queue.push(kind, a, b, at: now + delay)
    }

    package func at(_ moment: Micros, _ kind: EventKind, _ a: Int32, _ b: UInt32 = 0) {
        queue.push(kind, a, b, at: max(moment, now))
    }

    /// Goes on to the next event, and returns it.
    package func advance() -> Event? {
        guard let event = queue.popFirst() else { return nil }
        now = event.at
        return event
    }
}
