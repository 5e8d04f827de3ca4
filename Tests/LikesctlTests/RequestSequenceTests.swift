import LikesctlCommands
import Testing

@testable import likesctl

/// What is sent, and when it is due.
@Suite struct RequestSequenceTests {
    private func options(_ settings: [String: String]) throws(Failure) -> BenchOptions {
        var options = CommandOptions()
        for (name, value) in settings { try options.set(name, to: value, of: .bench) }
        return options.bench
    }

    /// The words of the request at `place`; nil when it is no array of bulk strings with lengths that hold.
    private func words(_ sequence: RequestSequence, _ place: UInt64) -> [String]? {
        let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: sequence.requestBytesMax, alignment: 1)
        defer { memory.deallocate() }
        guard let start = memory.baseAddress else { return nil }
        let written = sequence.write(place, to: start).bytes
        guard written <= sequence.requestBytesMax else { return nil }
        let lines = String(decoding: memory[..<written], as: UTF8.self).split(
            separator: "\r\n", omittingEmptySubsequences: false
        ).map(String.init)
        guard lines.last == "", lines.count.isMultiple(of: 2), lines[0] == "*\(lines.count / 2 - 1)" else { return nil }
        let pairs = stride(from: 1, to: lines.count - 1, by: 2).map { (lines[$0], lines[$0 + 1]) }
        return pairs.allSatisfy { $0.0 == "$\($0.1.utf8.count)" } ? pairs.map(\.1) : nil
    }

    @Test("The same seed and options give the same requests, in whatever order they are asked for.")
    func theSameSeedAndOptionsGiveTheSameRequests() throws {
        let settings = ["--mix": "like=3,count=5,mliked=2", "--keys": "zipf", "--seed": "42", "--batch": "3"]
        let one = RequestSequence(try options(settings))
        let other = RequestSequence(try options(settings))
        let forwards = (0..<500).map { words(one, UInt64($0)) }
        let backwards = (0..<500).reversed().map { words(other, UInt64($0)) }
        #expect(!forwards.contains(nil))
        #expect(forwards == backwards.reversed())
        let otherSeed = RequestSequence(try options(settings.merging(["--seed": "43"]) { $1 }))
        #expect(forwards != (0..<500).map { words(otherSeed, UInt64($0)) })
    }

    @Test("UNLIKE draws the pairs that LIKE drew.")
    func unlikeDrawsThePairsThatLikeDrew() throws {
        for keys in ["uniform", "zipf:1.2", "hot"] {
            let like = RequestSequence(try options(["--mix": "like", "--keys": keys]))
            let unlike = RequestSequence(try options(["--mix": "unlike", "--keys": keys]))
            for place in 0..<200 as Range<UInt64> {
                let liked = words(like, place)
                let unliked = words(unlike, place)
                #expect(liked?.first == "LIKE" && unliked?.first == "UNLIKE")
                #expect(liked?.dropFirst() == unliked?.dropFirst())
            }
        }
    }

    @Test("Every request fits the announced size and is well-formed, with the longest names and numbers.")
    func everyRequestFitsTheAnnouncedSizeAndIsWellFormed() throws {
        let largest = String(BenchOptions.populationMax)
        for batch in ["1", "9", "10", "1000"] {
            let sequence = RequestSequence(
                try options([
                    "--mix": "like,unlike,count,mcount,liked,mliked", "--batch": batch, "--users": largest,
                    "--items": largest, "--type": String(repeating: "t", count: 32),
                ]))
            for place in 0..<60 as Range<UInt64> { #expect(words(sequence, place) != nil) }
        }
    }

    @Test("Verbs come as often as their weights say, users and items from 1 to their count.")
    func verbsComeAsOftenAsTheirWeightsSay() throws {
        let sequence = RequestSequence(
            try options(["--mix": "liked=1,count=3,mcount=0", "--users": "3", "--items": "4"]))
        var liked = 0
        var users: Set<String> = []
        var items: Set<String> = []
        for place in 0..<8_000 as Range<UInt64> {
            let request = try #require(words(sequence, place))
            #expect(request[0] == "LIKED" || request[0] == "COUNT")
            if request[0] == "LIKED" {
                liked += 1
                users.insert(request[1])
            }
            items.insert(request[request.count - 1])
        }
        #expect((1_800...2_200).contains(liked))
        #expect(users == ["1", "2", "3"])
        #expect(items == ["post:1", "post:2", "post:3", "post:4"])
    }

    @Test("What is passed over is as many as are drawn, and beyond the limit as many as the rate says.")
    func whatIsPassedOverIsAsManyAsAreDrawnAndBeyondTheLimitAsTheRateSays() {
        var drawn = ArrivalSchedule(rate: 1_000, seed: 5)
        var skipped = ArrivalSchedule(rate: 1_000, seed: 5)
        let endNs: Int64 = 10_000_000_000
        var count: Int64 = 0
        let firstNs = drawn.next()
        var nextNs = firstNs
        while nextNs < endNs {
            count += 1
            nextNs = drawn.next()
        }
        _ = skipped.next()
        var limited = skipped
        #expect(skipped.skip(from: firstNs, before: endNs, drawnMax: Int64.max) == (count, nextNs))
        #expect(skipped.skip(from: nextNs, before: endNs, drawnMax: Int64.max) == (0, nextNs))
        let reckoned = limited.skip(from: firstNs, before: endNs, drawnMax: 100)
        #expect(reckoned.nextNs == endNs)
        // Five standard deviations of 10,000 arrivals; the seed is fixed.
        #expect(abs(reckoned.count - count) < 500)
    }

    @Test("Arrivals keep the rate on average, with exponential gaps, and follow from the seed.")
    func arrivalsKeepTheRateOnAverageAndFollowFromTheSeed() {
        var schedule = ArrivalSchedule(rate: 1_000, seed: 5)
        var again = ArrivalSchedule(rate: 1_000, seed: 5)
        let count = 100_000
        var gaps: [Double] = []
        var before: Int64 = 0
        for _ in 0..<count {
            let due = schedule.next()
            #expect(due >= before && due == again.next())
            gaps.append(Double(due - before) / 1e6)
            before = due
        }
        let mean = gaps.reduce(0, +) / Double(count)
        let variance = gaps.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(count)
        // Five standard errors of 100,000 gaps of 1 ms.
        #expect(abs(mean - 1) < 0.016)
        #expect(abs(variance - 1) < 0.05)
    }
}
