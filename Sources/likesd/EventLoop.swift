import CSystemd
import Glibc
import LikesCore

/// The part of sd-event that likesd needs: descriptors, signals, and one timer.
final class EventLoop {
    private let event: OpaquePointer
    private var timer: OpaquePointer?
    private var signals: [SignalSource] = []
    /// When the timer goes off; never later than wanted.
    private var armedAt: Instant?

    init() throws(DaemonError) {
        var created: OpaquePointer?
        let status = sd_event_new(&created)
        guard status >= 0, let created else { throw DaemonError(doing: "making an event loop", code: -status) }
        event = created
        // The timer only has to wake the loop: after every turn the clock shows what is due.
        let added = sd_event_add_time(
            event, &timer, CLOCK_MONOTONIC, UInt64.max, EventLoop.timerAccuracyMicroseconds, { _, _, _ in 0 }, nil)
        guard added >= 0 else { throw DaemonError(doing: "making a timer", code: -added) }
    }

    deinit {
        sd_event_source_disable_unref(timer)
        sd_event_unref(event)
    }

    /// The kernel may delay the timer by this much, to wake up less often.
    private static let timerAccuracyMicroseconds: UInt64 = 1_000

    /// Calls `handler` with epoll's events, which are level-triggered, as long as the returned source lives.
    func watch(
        _ descriptor: Int32, for events: UInt32, handler: @escaping (UInt32) -> Void
    ) throws(DaemonError) -> IOSource {
        let source = IOSource(events, handler)
        let status = sd_event_add_io(
            event, &source.source, descriptor, events,
            { _, _, events, context in
                guard let context else { return 0 }
                Unmanaged<IOSource>.fromOpaque(context).takeUnretainedValue().handler(events)
                return 0
            }, Unmanaged.passUnretained(source).toOpaque())
        guard status >= 0 else { throw DaemonError(doing: "watching a descriptor", code: -status) }
        return source
    }

    /// Calls `handler` once after this many milliseconds, unless the returned timer has ended before.
    func timer(afterMs delayMs: Int64, handler: @escaping () -> Void) throws(DaemonError) -> OneTimer {
        let timer = OneTimer(handler)
        let moment = Instant.now.adding(ms: delayMs)
        let status = sd_event_add_time(
            event, &timer.source, CLOCK_MONOTONIC, UInt64(moment.microseconds), EventLoop.timerAccuracyMicroseconds,
            { _, _, context in
                guard let context else { return 0 }
                Unmanaged<OneTimer>.fromOpaque(context).takeUnretainedValue().handler()
                return 0
            }, Unmanaged.passUnretained(timer).toOpaque())
        guard status >= 0 else { throw DaemonError(doing: "making a timer", code: -status) }
        return timer
    }

    /// Takes over a signal for the rest of the process' life.
    func watchSignal(_ number: Int32, handler: @escaping () -> Void) throws(DaemonError) {
        try EventLoop.block(number)
        let source = SignalSource(handler)
        let status = sd_event_add_signal(
            event, nil, number,
            { _, _, context in
                guard let context else { return 0 }
                Unmanaged<SignalSource>.fromOpaque(context).takeUnretainedValue().handler()
                return 0
            }, Unmanaged.passUnretained(source).toOpaque())
        guard status >= 0 else { throw DaemonError(doing: "watching a signal", code: -status) }
        signals.append(source)
    }

    /// From here on the signal waits for its watcher.
    static func block(_ number: Int32) throws(DaemonError) {
        var set = sigset_t()
        sigemptyset(&set)
        sigaddset(&set, number)
        guard sigprocmask(SIG_BLOCK, &set, nil) == 0 else { throw DaemonError(doing: "blocking a signal", code: errno) }
    }

    /// Waits until a source has something to handle; with `isBriefly` it only looks. False: there is none.
    func wait(isBriefly: Bool = false) throws(DaemonError) -> Bool {
        var status = sd_event_prepare(event)
        if status == 0 { status = sd_event_wait(event, isBriefly ? 0 : UInt64.max) }
        guard status >= 0 || status == -EINTR else { throw DaemonError(doing: "waiting for events", code: -status) }
        return status > 0
    }

    /// Calls the handler of one source that was waited for.
    func dispatch() throws(DaemonError) {
        let status = sd_event_dispatch(event)
        guard status >= 0 else { throw DaemonError(doing: "handling an event", code: -status) }
    }

    /// Makes sure that `wait` returns at `moment`, or earlier.
    ///
    /// A timer set for an earlier moment stays as it is: deadlines move on with every request, and setting the
    /// timer costs a system call.
    func wake(at moment: Instant?, now: Instant) {
        if let armed = armedAt, armed <= now { armedAt = nil }
        guard let moment else { return }
        if let armed = armedAt, armed <= moment { return }
        sd_event_source_set_time(timer, UInt64(max(0, moment.microseconds)))
        sd_event_source_set_enabled(timer, Int32(SD_EVENT_ONESHOT))
        armedAt = moment
    }
}

/// A watched descriptor. Ends with `cancel`, which must come before the descriptor is closed.
final class IOSource {
    fileprivate var source: OpaquePointer?
    fileprivate let handler: (UInt32) -> Void
    private var events: UInt32

    fileprivate init(_ events: UInt32, _ handler: @escaping (UInt32) -> Void) {
        self.events = events
        self.handler = handler
    }

    deinit { cancel() }

    /// Changes the events that are waited for.
    func setEvents(_ wanted: UInt32) {
        guard wanted != events else { return }
        events = wanted
        sd_event_source_set_io_events(source, wanted)
    }

    func cancel() {
        sd_event_source_disable_unref(source)
        source = nil
    }
}

/// A moment that is awaited once. Ends with `cancel`.
final class OneTimer {
    fileprivate var source: OpaquePointer?
    fileprivate let handler: () -> Void

    fileprivate init(_ handler: @escaping () -> Void) { self.handler = handler }

    deinit { cancel() }

    func cancel() {
        sd_event_source_disable_unref(source)
        source = nil
    }
}

private final class SignalSource {
    let handler: () -> Void
    init(_ handler: @escaping () -> Void) { self.handler = handler }
}
