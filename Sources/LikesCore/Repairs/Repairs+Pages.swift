import LikesSettings
import LikesProtocol
import LikesStorage

// Pages on their way: read from PostgreSQL, set in Redis, struck off.
extension Repairs {
    /// What to ask PostgreSQL for next; nil: nothing, or enough is under way. `permit` is given now.
    mutating func takePage(_ permit: WritePermit) -> (page: PageNumber, items: [Item])? {
        release(permit.askedAt)
        guard !pool.isEmpty else { return nil }
        if pages.count >= Limits.repairPagesMax { dropEmptyPages() }
        guard pages.count < Limits.repairPagesMax else { return nil }
        // The fewer are left, the smaller a part of them is taken: other hosts are at them as well.
        let share = max(Limits.repairPageMin, pool.count / Limits.repairPoolShare)
        let most = min(pageMax, share)
        var items: [Item] = []
        while items.count < most, !pool.isEmpty {
            pool.swapAt(Int(random.next() % UInt64(pool.count)), pool.count - 1)
            let item = pool.removeLast()
            guard let place = entries.index(forKey: item), entries.values[place].page == 0 else { continue }
            // Until the page begins the number keeps it from being taken twice.
            entries.values[place].page = lastPage + 1
            entries.values[place].isNotedAgain = false
            items.append(item)
        }
        guard !items.isEmpty else { return nil }
        return (begin(items, permit), items)
    }

    /// Pages that were read, and whose items were all done or noted again since.
    mutating func dropEmptyPages() {
        pages.removeAll { page in
            guard case .read = page.stage else { return false }
            return !page.items.contains { entries[$0]?.page == page.number }
        }
    }

    @discardableResult
    mutating func begin(_ items: [Item], _ permit: WritePermit) -> PageNumber {
        lastPage += 1
        for item in items { entries[item]?.page = lastPage }
        pages.append(Page(number: lastPage, items: items, permit: permit))
        return lastPage
    }

    /// PostgreSQL's answer to a page.
    mutating func read(_ number: PageNumber, _ counters: [CounterState]) {
        guard let place = pages.firstIndex(where: { $0.number == number }) else { return }
        pages[place].stage = .read(counters)
    }

    /// PostgreSQL did not answer.
    mutating func readFailed(_ number: PageNumber, now: Instant) { holdBack(number, now: now) }

    /// The next page to be set in Redis, without what was done or noted again meanwhile. `permit` would be given now.
    /// `asked`: the permit given before PostgreSQL was asked for it.
    mutating func takeToWrite(
        _ permit: WritePermit
    ) -> (page: PageNumber, counters: [CounterState], asked: WritePermit)? {
        while let place = pages.firstIndex(where: { if case .read = $0.stage { true } else { false } }) {
            guard case .read(let counters) = pages[place].stage else { return nil }
            let page = pages[place]
            if page.permit.holds(permit) {
                let left = counters.filter { entries[$0.item]?.page == page.number }
                if !left.isEmpty {
                    pages[place].stage = .writing(since: permit.askedAt)
                    return (page.number, left, page.permit)
                }
                pages.remove(at: place)
            } else if page.permit.isYoung(at: permit.askedAt) {
                // Another generation, or another subscription: nothing is to be waited for.
                pages.remove(at: place)
                putBack(page)
            } else {
                // PostgreSQL is slow: the others are to know of it in the meantime, and less is asked for at once.
                takeLess(atLeast: Limits.repairPageMin / 4)
                holdBack(page.number, now: permit.askedAt)
            }
        }
        return nil
    }

    /// Redis has these, or something newer.
    mutating func wrote(_ number: PageNumber, _ counters: [CounterState], now: Instant) {
        if let place = pages.firstIndex(where: { $0.number == number }) {
            if case .writing(let since) = pages[place].stage { keepPace(ms: now.ms(since: since)) }
            pages.remove(at: place)
        }
        var again: [Item] = []
        for counter in counters {
            guard let entry = entries[counter.item], entry.page == number else { continue }
            guard !entry.isNotedAgain else {
                entries[counter.item]?.page = 0
                again.append(counter.item)
                continue
            }
            if entry.isTold || telling.contains(counter.item) { mend(counter, notedBy: entry.notedBy) }
            remove(counter.item)
            doneTotal += 1
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
            if entry.isTold || telling.contains(counter.item) { mend(counter) }
            remove(counter.item)
            doneTotal += 1
        }
    }

    mutating func writeFailed(_ number: PageNumber, now: Instant) {
        takeLess(atLeast: Limits.repairPageMin / 4)
        holdBack(number, now: now)
    }

    mutating func keepPace(ms: Int64) {
        if ms > Limits.repairWriteMsMax {
            takeLess(atLeast: Limits.repairPageMin)
        } else if ms <= Limits.repairWriteMsMax / 2 {
            pageMax = min(limits.countersPerCallMax, 2 * pageMax)
        }
    }

    mutating func takeLess(atLeast least: Int) { pageMax = max(min(pageMax, least), pageMax / 2) }

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
        guard let place = pages.firstIndex(where: { $0.number == number }) else { return }
        holdBack(leave(pages.remove(at: place)), now: now)
    }

    mutating func holdBack(_ items: [Item], now: Instant) {
        if !items.isEmpty { heldBack.append((now.adding(ms: Limits.repairRetryMs), items)) }
    }

    mutating func putBack(_ page: Page) { offer(leave(page)) }

    /// Those that are still in the page leave it.
    mutating func leave(_ page: Page) -> [Item] {
        let items = page.items.filter { entries[$0]?.page == page.number }
        for item in items { entries[item]?.page = 0 }
        return items
    }

    mutating func mend(_ counter: CounterState, notedBy: Int64 = 0) {
        // Over the limit a row stays, and is found and mended once more.
        guard mended.count < limits.repairsMendedMax else { return }
        let row = MendedRow(item: counter.item, version: counter.version, notedBy: notedBy)
        mended.append(row)
        mendedRows[row.item] = row
    }
}
