import CLinux
import Glibc
import LikesctlCommands

/// epoll over the connections and the signals that end a run.
struct BenchPoller: ~Copyable {
    /// An event.
    enum Found {
        case interrupt
        /// The connection with this number has something to read, or has ended.
        case input(Int)
        /// The connection with this number takes more.
        case output(Int)
    }

    private static let signalTag = UInt64.max
    private static let nsPerSecond: Int64 = 1_000_000_000

    private let epoll: Int32
    private let signals: Int32
    private let events = UnsafeMutablePointer<epoll_event>.allocate(capacity: BenchLimits.eventsPerWakeUp)

    /// From here on SIGINT and SIGTERM are events, and end nothing by themselves, even after the run: an impatient
    /// second Ctrl-C must not lose the results.
    init() throws(Failure) {
        var wanted = sigset_t()
        sigemptyset(&wanted)
        sigaddset(&wanted, SIGINT)
        sigaddset(&wanted, SIGTERM)
        sigprocmask(SIG_BLOCK, &wanted, nil)
        epoll = epoll_create1(Int32(EPOLL_CLOEXEC))
        signals = signalfd(-1, &wanted, Int32(SFD_CLOEXEC | SFD_NONBLOCK))
        // Without it the kernel adds up to 50 µs to each wait, and arrivals would be late by as much.
        set_timer_slack_ns(1)
        guard epoll >= 0, signals >= 0, add(signals, Self.signalTag, EPOLLIN.rawValue) else {
            throw Failure(.unreachable, "no epoll to be had: \(SystemCalls.text(of: errno))")
        }
        // Waits in whole milliseconds would be late for most arrivals, or burn a core that the daemon needs.
        var noTime = timespec()
        guard epoll_pwait2(epoll, events, 1, &noTime, nil) >= 0 || errno == EINTR else {
            throw Failure(
                .unreachable, "bench needs epoll_pwait2, that is Linux 5.11 or newer: \(SystemCalls.text(of: errno))")
        }
    }

    deinit {
        close(signals)
        close(epoll)
        events.deallocate()
    }

    /// Waits for input on a connection. False: it failed, and errno says why.
    func add(_ descriptor: Int32, number: Int) -> Bool { add(descriptor, UInt64(number), EPOLLIN.rawValue) }

    /// Begins or stops waiting for room for output.
    func watchOutput(_ descriptor: Int32, number: Int, _ wanted: Bool) {
        let events = EPOLLIN.rawValue | (wanted ? EPOLLOUT.rawValue : 0)
        var event = epoll_event(events: events, data: epoll_data_t(u64: UInt64(number)))
        epoll_ctl(epoll, EPOLL_CTL_MOD, descriptor, &event)
    }

    private func add(_ descriptor: Int32, _ tag: UInt64, _ wanted: UInt32) -> Bool {
        var event = epoll_event(events: wanted, data: epoll_data_t(u64: tag))
        return epoll_ctl(epoll, EPOLL_CTL_ADD, descriptor, &event) == 0
    }

    /// Waits at most this many nanoseconds. Returns the number of events; `found` returns each.
    func wait(ns: Int64) -> Int {
        let count = max(0, ns)
        var timeout = timespec(tv_sec: Int(count / Self.nsPerSecond), tv_nsec: Int(count % Self.nsPerSecond))
        let outcome = epoll_pwait2(epoll, events, Int32(BenchLimits.eventsPerWakeUp), &timeout, nil)
        precondition(outcome >= 0 || errno == EINTR, "epoll_pwait2 refuses what it took before: errno \(errno)")
        return Int(max(0, outcome))
    }

    func found(_ place: Int) -> Found {
        let event = events[place]
        if event.data.u64 == Self.signalTag {
            var information = signalfd_siginfo()
            // The signal is read, so that a second one is a new event.
            _ = read(signals, &information, MemoryLayout<signalfd_siginfo>.size)
            return .interrupt
        }
        let number = Int(event.data.u64)
        return event.events == EPOLLOUT.rawValue ? .output(number) : .input(number)
    }
}
