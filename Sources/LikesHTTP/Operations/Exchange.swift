import LikesProtocol

/// One HTTP request that likesd is asked about: the requests to likesd, their replies, and the response in the end.
///
/// It decides what is asked again and what a failure means. It sends nothing and knows no clock.
package struct Exchange: Sendable {
    /// Requests to likesd under way for one HTTP request: a request for a hundred thousand items is one client's.
    static let underWayMax = 4
    /// How often one request to likesd is sent at most: once more after its connection was lost.
    static let triesMax = 2

    /// Why a request to likesd has no reply.
    package enum Loss: Equatable, Sendable {
        /// likesd never had it, for this reason.
        case neverSent(String)
        /// likesd had it, and the connection ended.
        case lost(String)
        /// likesd had it, and does not answer.
        case timedOut
    }

    package let question: Question
    private let answer: Answering
    private let problem: Bool
    /// Requests that are to be sent: the lost ones, and all from `fresh` on.
    private var again: [Int] = []
    private var fresh = 0
    private var underWay = 0
    private var answered = 0
    private var tries: [Int: Int] = [:]
    /// Of each item its numbers, in order.
    private var numbers: [Int64]
    private(set) package var response: HTTPResponse?

    /// `problem`: errors in the form of RFC 9457. `metrics`: this program's own figures.
    package init(_ question: Question, problem: Bool, metrics: String, now: Moment) {
        self.question = question
        self.problem = problem
        answer = Answering(question: question, metrics: metrics, began: now)
        numbers = []
        if case .counts(let items) = question { numbers = [Int64](repeating: 0, count: 2 * items.count) }
        if case .hasLiked(_, _, let ids) = question { numbers = [Int64](repeating: 0, count: ids.count) }
        // No items, nothing to ask.
        if question.callCount == 0 { response = answer.numbers([], now: now) }
    }

    /// The next request to send, if one may go now; its words.
    package mutating func next() -> (call: Int, words: [String])? {
        guard response == nil, underWay < Self.underWayMax else { return nil }
        let call: Int
        if let lost = again.popLast() {
            call = lost
        } else if fresh < question.callCount {
            call = fresh
            fresh += 1
        } else {
            return nil
        }
        underWay += 1
        return (call, question.words(of: call))
    }

    /// It could not be sent yet: `next` has it again.
    package mutating func putBack(_ call: Int) {
        underWay -= 1
        again.append(call)
    }

    /// likesd has replied.
    package mutating func replied(_ call: Int, _ reply: ReceivedReply, now: Moment) {
        guard response == nil else { return }
        underWay -= 1
        answered += 1
        do throws(Refusal) {
            if case .error(let bytes) = reply { throw Answering.refusal(ReceivedError(bytes), to: question) }
            switch question {
            case .like, .unlike, .count, .likes, .likers, .health, .ready, .metrics:
                response = try answer.single(reply, now: now)
            case .counts, .hasLiked:
                try keep(reply, of: call)
                if answered == question.callCount { response = answer.numbers(numbers, now: now) }
            }
        } catch {
            response = error.response(problem: problem)
        }
    }

    /// Several numbers stand where those of their items do.
    private mutating func keep(_ reply: ReceivedReply, of call: Int) throws(Refusal) {
        let items = question.items(of: call)
        let perItem = numbers.count / question.itemCount
        guard let found = Answering.integers(reply), found.count == items.count * perItem else {
            throw Answering.notUnderstood
        }
        numbers.replaceSubrange(items.lowerBound * perItem..<items.upperBound * perItem, with: found)
    }

    /// A request to likesd got no reply. Either it is to be sent again (`next` has it), or the response says what is
    /// known. `canTryAgain`: there is time.
    package mutating func lost(_ call: Int, _ loss: Loss, canTryAgain: Bool) {
        guard response == nil else { return }
        underWay -= 1
        let mayRepeat: Bool
        switch loss {
        case .neverSent: mayRepeat = true
        case .lost: mayRepeat = !question.isChange
        case .timedOut: mayRepeat = false
        }
        tries[call, default: 0] += 1
        if mayRepeat, canTryAgain, tries[call, default: 0] < Self.triesMax {
            again.append(call)
            return
        }
        response = answer.unanswered(loss, problem: problem)
    }

    /// The time for it is over.
    package mutating func timedOut() {
        guard response == nil else { return }
        response = answer.unanswered(underWay > 0 ? .timedOut : .neverSent("it takes no more"), problem: problem)
    }

    /// There is no connection to likesd, and no hope for one.
    package mutating func unreachable(_ why: String) {
        guard response == nil else { return }
        response = answer.unanswered(.neverSent(why), problem: problem)
    }
}
