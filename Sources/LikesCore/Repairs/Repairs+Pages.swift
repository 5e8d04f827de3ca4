import LikesSettings
import LikesProtocol
import LikesStorage

// Pages on their way: read from PostgreSQL, set in Redis, struck off.
extension Repairs {
    /// What to ask PostgreSQL for next; nil: nothing, or enough is under way. `permit` is given now.
    mutating func takePage(_ permit: WritePermit) -> (page: PageNumber, items: [Item])? {
        release(permit.askedAt)
        guard !pool.isEmpty else { return nil }
        if pages.isFull { dropEmptyPages() }
        guard !pages.isFull else { return nil }
        // The fewer are left, the smaller a part of them is taken: other hosts are at them as well.
        let share = max(Limits.repairPageMin, pool.count / Limits.repairPoolShare)
        let most = min(pages.sizeMax, share)
        var items: [Item] = []
        while items.count < most, let item = pool.take() {
            guard let place = entries.index(forKey: item), entries.values[place].page == 0 else { continue }
            // Until the page begins the number keeps it from being taken twice.
            entries.values[place].page = pages.nextNumber
            entries.values[place].isNotedAgain = false
            items.append(item)
        }
        guard !items.isEmpty else { return nil }
        return (begin(items, permit), items)
    }

    /// Pages that were read, and whose items were all done or noted again since.
    mutating func dropEmptyPages() {
        let entries = entries
        pages.dropRead { page in !page.items.contains { entries[$0]?.page == page.number } }
    }

    @discardableResult
    mutating func begin(_ items: [Item], _ permit: WritePermit) -> PageNumber {
        let number = pages.begin(items, permit)
        for item in items { entries[item]?.page = number }
        return number
    }

    /// PostgreSQL's answer to a page.
    mutating func read(_ number: PageNumber, _ counters: [CounterState]) {
        pages.read(number, counters)
    }

    /// PostgreSQL did not answer.
    mutating func readFailed(_ number: PageNumber, now: Instant) { holdBack(number, now: now) }

    /// The next page to be set in Redis, without what was done or noted again meanwhile. `permit` would be given now.
    /// `asked`: the permit given before PostgreSQL was asked for it.
    mutating func takeToWrite(
        _ permit: WritePermit
    ) -> (page: PageNumber, counters: [CounterState], asked: WritePermit)? {
        while let (page, counters) = pages.firstRead {
            if page.permit.holds(permit) {
                let left = counters.filter { entries[$0.item]?.page == page.number }
                if !left.isEmpty {
                    pages.write(page.number, now: permit.askedAt)
                    return (page.number, left, page.permit)
                }
                pages.end(page.number)
            } else if page.permit.isYoung(at: permit.askedAt) {
                // Another generation, or another subscription: nothing is to be waited for.
                pages.end(page.number)
                putBack(page)
            } else {
                // PostgreSQL is slow: the others are to know of it in the meantime, and less is asked for at once.
                pages.takeLess(atLeast: Limits.repairPageMin / 4)
                holdBack(page.number, now: permit.askedAt)
            }
        }
        return nil
    }

    /// Redis has these, or something newer.
    mutating func wrote(_ number: PageNumber, _ counters: [CounterState], now: Instant) {
        pages.wrote(number, now: now)
        var again: [Item] = []
        for counter in counters {
            guard let entry = entries[counter.item], entry.page == number else { continue }
            guard !entry.isNotedAgain else {
                entries[counter.item]?.page = 0
                again.append(counter.item)
                continue
            }
            if entry.isTold || untold.isOnItsWay(counter.item) { mend(counter, notedBy: entry.notedBy) }
            remove(counter.item)
            totals.done += 1
        }
        holdBack(again, now: now)
    }

    /// Redis has these of a write-through, or something newer: whatever of it was to be repaired is.
    mutating func wroteThrough(_ counters: [CounterState]) {
        guard !entries.isEmpty else { return }
        for counter in counters {
            guard let entry = entries[counter.item], entry.version <= counter.version, !isOnItsWay(entry) else {
                continue
            }
            if entry.isTold || untold.isOnItsWay(counter.item) { mend(counter) }
            remove(counter.item)
            totals.done += 1
        }
    }

    mutating func writeFailed(_ number: PageNumber, now: Instant) {
        pages.takeLess(atLeast: Limits.repairPageMin / 4)
        holdBack(number, now: now)
    }

    /// Time has come to `wakeAt`, or not.
    mutating func tick(now: Instant) { release(now) }

    /// Redis is back: no reason to hold anything back.
    mutating func retryNow() {
        while let (_, items) = heldBack.popFirst() { offer(items) }
    }

    mutating func release(_ now: Instant) {
        while let (until, items) = heldBack.first, until <= now {
            heldBack.popFirst()
            offer(items)
        }
    }

    mutating func holdBack(_ number: PageNumber, now: Instant) {
        guard let page = pages.end(number) else { return }
        holdBack(leave(page), now: now)
    }

    mutating func holdBack(_ items: [Item], now: Instant) {
        if !items.isEmpty { heldBack.append((now.adding(ms: Limits.repairRetryMs), items)) }
    }

    mutating func putBack(_ page: RepairPages.Page) { offer(leave(page)) }

    /// Those that are still in the page leave it.
    mutating func leave(_ page: RepairPages.Page) -> [Item] {
        let items = page.items.filter { entries[$0]?.page == page.number }
        for item in items { entries[item]?.page = 0 }
        return items
    }

    mutating func mend(_ counter: CounterState, notedBy: Int64 = 0) {
        mended.append(MendedRow(item: counter.item, version: counter.version, notedBy: notedBy))
    }
}
