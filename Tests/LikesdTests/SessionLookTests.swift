import Testing

@testable import likesd

/// Who has a session of PostgreSQL to itself, by the process ids that answer.
@Suite struct SessionLookTests {
    /// Plays a pooler: which session the connection's next question gets, and a second connection's.
    private func isOwn(announced: Int32, own: () -> String, other: () -> String?) -> Bool? {
        var look = SessionLook(announced: announced)
        for _ in 0..<100 {
            switch look.next() {
            case .ask: look.answered(own())
            case .askAnother: look.heard(other())
            case .isOwn: return true
            case .isLent: return false
            }
        }
        return nil
    }

    @Test("A direct connection is known at once, without a second one")
    func aDirectConnectionIsKnownAtOnce() {
        var asked = 0
        let isOwn = isOwn(announced: 812) {
            asked += 1
            return "812"
        } other: {
            Issue.record("a second connection is asked")
            return nil
        }
        #expect(isOwn == true && asked == 1)
    }

    @Test("A pooler that gives each connection a session of its own serves, also if it has no second one free")
    func aSessionPoolerServes() {
        #expect(isOwn(announced: 1, own: { "812" }, other: { "813" }) == true)
        #expect(isOwn(announced: 1, own: { "812" }, other: { nil }) == true)
    }

    @Test("A pooler that lends the session that was used last, or sessions in turns, is found out")
    func aPoolerThatLendsIsFoundOut() {
        #expect(isOwn(announced: 1, own: { "812" }, other: { "812" }) == false)
        var turn = 0
        let next = {
            turn += 1
            return String(800 + turn % 3)
        }
        #expect(isOwn(announced: 1, own: next, other: next) == false)
        #expect(isOwn(announced: 1, own: next, other: { nil }) == false)
        // Others use the pool: the second connection gets the session once.
        var others = ["900", "901", "812"]
        #expect(isOwn(announced: 1, own: { "812" }, other: { others.removeFirst() }) == false)
    }
}
