import LikesProtocol
import LikesStorage

// Pages under way: read from PostgreSQL, set in Redis, struck off.
extension NodeRepairs {
    /// The next items to ask PostgreSQL for; nil: there are none, or enough is under way. `permit` is given now.
    mutating func takePage(_ permit: WritePermit) -> (page: PageNumber, items: [Item])? {
        release(permit.askedAt)
        guard !pool.isEmpty else { return nil }
        if pages.isFull { dropEmptyPages() }
        guard !pages.isFull else { return nil }
        // The fewer items are left, the smaller a part of them is taken: other hosts are working on them as well.
        let share = max(Limits.repairPageMin, pool.count / Limits.repairPoolShare)
        let most = min(pages.sizeMax, share)
        var items: [Item] = []
        while items.count < most, let item = pool.take() {
            guard let place = entries.index(forKey: item), entries.values[place].page == 0 else { continue }
            // Until the page begins, its number keeps the item from being taken twice.
            entries.values[place].page = pages.nextNumber
            entries.values[place].isNotedAgain = false
            items.append(item)
        }
        guard !items.isEmpty else { return nil }
        return (begin(items, permit), items)
    }

    /// Drops pages that were read, but whose items were all done or noted again since.
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

    /// PostgreSQL answered for the page.
    mutating func read(_ number: PageNumber, _ counters: [CounterState]) {
        pages.read(number, counters)
    }

    /// PostgreSQL did not answer for the page.
    mutating func readFailed(_ number: PageNumber, now: Instant) { delay(number, now: now) }

    /// The next page to be set in Redis, without items that were done or noted again meanwhile. `permit` is for the
    /// present moment. `asked`: the permit given before PostgreSQL was asked for the page.
    mutating func takeToWrite(
        _ permit: WritePermit
    ) -> (page: PageNumber, counters: [CounterState], asked: WritePermit)? {
        while let (page, counters) = pages.firstRead {
            if page.permit.holds(permit, on: node) {
                let left = counters.filter { entries[$0.item]?.page == page.number }
                if !left.isEmpty {
                    pages.write(page.number, now: permit.askedAt)
                    return (page.number, left, page.permit)
                }
                pages.end(page.number)
            } else if page.permit.isYoung(at: permit.askedAt) {
                // Another generation or another subscription: there is nothing to wait for.
                pages.end(page.number)
                putBack(page)
            } else {
                // PostgreSQL is slow. Other hosts should learn of the items meanwhile, and pages get smaller.
                pages.takeLess(atLeast: Limits.repairPageMin / 4)
                delay(page.number, now: permit.askedAt)
            }
        }
        return nil
    }

    /// Redis has these counters, or newer ones. `elsewhere`: except those, which another node has or is to have soon.
    mutating func wrote(_ number: PageNumber, _ counters: [CounterState], elsewhere: [Item] = [], now: Instant) {
        pages.wrote(number, now: now)
        var again: [Item] = []
        for counter in counters {
            guard let entry = entries[counter.item], entry.page == number else { continue }
            guard !entry.isNotedAgain, !elsewhere.contains(counter.item) else {
                entries[counter.item]?.page = 0
                again.append(counter.item)
                continue
            }
            if entry.isTold || untold.isOnItsWay(counter.item) { mend(counter, notedBy: entry.notedBy) }
            remove(counter.item)
            totals.done += 1
        }
        delay(again, now: now)
    }

    /// Redis has these counters of a write-through, or newer ones. If they were to be repaired, they now are.
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
        delay(number, now: now)
    }

    /// `wakeAt` may have come.
    mutating func tick(now: Instant) { release(now) }

    /// Redis is back: there is no reason to delay anything.
    mutating func retryNow() {
        while let (_, items) = delayed.popFirst() { offer(items) }
    }

    mutating func release(_ now: Instant) {
        while let (until, items) = delayed.first, until <= now {
            delayed.popFirst()
            offer(items)
        }
    }

    mutating func delay(_ number: PageNumber, now: Instant) {
        guard let page = pages.end(number) else { return }
        delay(leave(page), now: now)
    }

    mutating func delay(_ items: [Item], now: Instant) {
        if !items.isEmpty { delayed.append((now.adding(ms: Limits.repairRetryMs), items)) }
    }

    mutating func putBack(_ page: RepairPages.Page) { offer(leave(page)) }

    /// Takes the items that are still in the page out of it, and returns them.
    mutating func leave(_ page: RepairPages.Page) -> [Item] {
        let items = page.items.filter { entries[$0]?.page == page.number }
        for item in items { entries[item]?.page = 0 }
        return items
    }

    mutating func mend(_ counter: CounterState, notedBy: Int64 = 0) {
        mended.append(MendedRow(item: counter.item, version: counter.version, notedBy: notedBy))
    }
}
