/// A queue in a ring that grows by doubling, and does not allocate once it is large enough.
package struct Ring<Element> {
    private var storage: ContiguousArray<Element?> = []
    private var head = 0
    package private(set) var count = 0

    package init() {}

    package var isEmpty: Bool { count == 0 }
    /// How many places there is memory for.
    package var capacity: Int { storage.count }
    package var first: Element? { count == 0 ? nil : storage[head] }

    /// The element `offset` places behind the first.
    package subscript(_ offset: Int) -> Element {
        get {
            guard offset < count, let element = storage[place(offset)] else { preconditionFailure("outside the ring") }
            return element
        }
        set {
            precondition(offset < count, "outside the ring")
            storage[place(offset)] = newValue
        }
    }

    package mutating func append(_ element: Element) {
        if count == storage.count { grow() }
        storage[place(count)] = element
        count += 1
    }

    package mutating func prepend(_ element: Element) {
        if count == storage.count { grow() }
        head = (head &- 1) & (storage.count - 1)
        storage[head] = element
        count += 1
    }

    @discardableResult
    package mutating func popFirst() -> Element? {
        guard count > 0 else { return nil }
        let element = storage[head]
        storage[head] = nil
        head = (head + 1) & (storage.count - 1)
        count -= 1
        return element
    }

    /// Gives back the memory of unused places.
    package mutating func shrink() {
        var smaller = Ring()
        while let element = popFirst() { smaller.append(element) }
        self = smaller
    }

    package mutating func removeAll() {
        storage.removeAll(keepingCapacity: false)
        head = 0
        count = 0
    }

    private func place(_ offset: Int) -> Int { (head &+ offset) & (storage.count - 1) }

    private mutating func grow() {
        var larger = ContiguousArray<Element?>()
        larger.reserveCapacity(max(8, storage.count * 2))
        for offset in 0..<count { larger.append(storage[place(offset)]) }
        while larger.count < max(8, storage.count * 2) { larger.append(nil) }
        storage = larger
        head = 0
    }
}
