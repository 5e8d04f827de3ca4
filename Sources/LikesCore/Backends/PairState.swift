import LikesStorage

/// A pair as PostgreSQL has it, with its item's counter from the same snapshot.
package struct PairState: Hashable, Sendable {
    package var liked: Bool
    package var counter: CounterState
    package init(liked: Bool, counter: CounterState) {
        self.liked = liked
        self.counter = counter
    }
}
