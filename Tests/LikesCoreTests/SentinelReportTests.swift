import LikesProtocol
import LikesSettings
import LikesStorage
import Testing

@testable import LikesCore

extension Scenario {
    /// The lines of the log that follow.
    fileprivate mutating func report(_ report: SentinelReport) -> [String] {
        var turn = Turn(now: now)
        core.sentinelsReported(report, &turn)
        return turn.actions.compactMap { if case .log(_, let text) = $0 { text } else { nil } }
    }

    fileprivate func health() -> String { core.healthMessage(now: now) }
}

@Suite struct SentinelReportTests {
    private static func primary(_ host: String, _ epoch: Int64) -> NamedPrimary {
        NamedPrimary(address: .tcp(host: host, port: 6_379), epoch: epoch)
    }

    private static func report(_ host: String, _ epoch: Int64, silent: String? = nil) -> SentinelReport {
        SentinelReport(
            used: primary(host, epoch),
            sentinels: [
                SentinelReport.State(sentinel: "s1:26379", names: primary(host, epoch)),
                SentinelReport.State(sentinel: "s2:26379", names: silent == nil ? primary(host, epoch) : nil),
            ], troubles: silent.map { [ServerAdvice(reason: $0, next: "start it")] } ?? [])
    }

    private static func scenario() -> Scenario {
        Scenario { configuration in
            let sentinels: [RedisEndpoint.Address] = [.tcp(host: "s1", port: 26_379), .tcp(host: "s2", port: 26_379)]
            configuration.redis = RedisEndpoint(
                topology: .sentinels(RedisSentinels(addresses: sentinels, name: "m")))
        }
    }

    @Test("A Sentinel's trouble is in HEALTH while it lasts, in the log once, and leaves the status as it is.")
    func aSentinelsTroubleIsInHealthWhileItLastsAndInTheLogOnce() {
        var scenario = Self.scenario()
        #expect(scenario.report(Self.report("a", 1, silent: "s2 is gone")) == ["Redis: s2 is gone; next: start it"])
        #expect(scenario.report(Self.report("b", 2, silent: "s2 is gone")) == [])
        #expect(scenario.health() == "next: start it (Redis: s2 is gone)")
        #expect(scenario.core.status(now: scenario.now) == "ok")
        #expect(scenario.report(Self.report("b", 2)) == ["Redis: all Sentinels answer and agree"])
        #expect(scenario.health() == "")
    }

    @Test("A trouble that is why Redis is lost is told once.")
    func aTroubleThatIsWhyRedisIsLostIsToldOnce() {
        var scenario = Self.scenario()
        _ = scenario.report(Self.report("a", 1, silent: "nobody answers"))
        var turn = Turn(now: scenario.now)
        scenario.core.lost(.redis, .unreachable("nobody answers", next: "start them"), &turn)
        #expect(scenario.health() == "next: start them (Redis: nobody answers)")
    }

    @Test("A Sentinel that comes and goes does not fill the log.")
    func aSentinelThatComesAndGoesDoesNotFillTheLog() {
        var scenario = Self.scenario()
        var lines = 0
        for number in 0..<1_000 {
            lines += scenario.report(Self.report("a", 1, silent: number % 2 == 0 ? "s2 is gone" : nil)).count
        }
        #expect(lines == Limits.logStepsMax)
    }

    @Test("INFO and METRICS say which server is used, how often it changed, and what each Sentinel says.")
    func infoAndMetricsSayWhichServerIsUsedAndWhatEachSentinelSays() {
        var scenario = Self.scenario()
        #expect(scenario.core.infoText(section: "backends", now: scenario.now).contains("redis_server:\r\n"))
        for report in [Self.report("a", 1), Self.report("b", 2), Self.report("b", 4), Self.report("b", 4, silent: "x")]
        {
            _ = scenario.report(report)
        }
        let info = scenario.core.infoText(section: "backends", now: scenario.now)
        #expect(
            info.hasSuffix(
                """
                redis_server:b:6379\r
                redis_epoch:4\r
                redis_moves:1\r
                redis_sentinels:2\r
                redis_sentinels_answering:1\r
                sentinel0:name=s1:26379,names=b:6379,epoch=4\r
                sentinel1:name=s2:26379,names=\r

                """))
        let metrics = scenario.core.metricsText(now: scenario.now)
        #expect(metrics.contains("\nlikesd_redis_moves_total 1\n"))
        #expect(metrics.contains("\nlikesd_redis_sentinels_answering 1\n"))
    }

    @Test("Without Sentinels INFO has the server of REDIS_URL, and METRICS says that there are none.")
    func withoutSentinelsInfoHasTheServerOfRedisURL() {
        let scenario = Scenario()
        let info = scenario.core.infoText(section: "backends", now: scenario.now)
        #expect(info.hasSuffix("redis_server:localhost:6379\r\n"))
        #expect(scenario.core.metricsText(now: scenario.now).contains("\nlikesd_redis_sentinels 0\n"))
    }

    @Test("A primary that the Sentinels name is tried at once, however long the former one was away.")
    func aPrimaryThatTheSentinelsNameIsTriedAtOnce() {
        var scenario = Self.scenario()
        var waits: [Int64] = []
        for isNamed in [false, true] {
            for _ in 0..<8 {
                scenario.lose(.redis)
                scenario.pass(ms: Limits.reconnectMsMax)
            }
            scenario.lose(.redis)
            if isNamed { scenario.step { core, turn in core.primaryNamed(&turn) } }
            guard case .down(let retryAt) = scenario.core.redis.link.state else {
                Issue.record("the link is not down")
                return
            }
            waits.append(retryAt.ms(since: scenario.now))
        }
        #expect(waits[0] >= Limits.reconnectMsMax / 2)
        #expect(waits[1] <= Limits.reconnectMsMin)
    }

    @Test("A connection that stands is not touched when the Sentinels name its server again.")
    func aConnectionThatStandsIsNotTouched() {
        var scenario = Self.scenario()
        scenario.step { core, turn in core.primaryNamed(&turn) }
        #expect(scenario.core.redis.link.isUp && scenario.core.redis.subscriber.isUp)
    }
}
