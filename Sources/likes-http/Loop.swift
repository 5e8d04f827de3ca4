import CSystemd
import Glibc

/// The part of sd-event that this program needs: descriptors, signals, one repeating timer, the watchdog.
final class Loop {
    private let event: OpaquePointer
    private var timer: OpaquePointer?
    private var signals: [Source] = []

    /// Calls `tick` every `tickMs` milliseconds, give or take a tenth.
    init(tickMs: Int64) throws(GatewayError) {
        var created: OpaquePointer?
        let status = sd_event_new(&created)
        guard status >= 0, let created else { throw GatewayError(doing: "making an event loop", code: -status) }
        event = created
        // Pings systemd by itself if the unit has WatchdogSec=.
        let watched = sd_event_set_watchdog(event, 1)
        guard watched >= 0 else { throw GatewayError(doing: "setting up the watchdog", code: -watched) }
        self.tickMs = tickMs
        // The timer only has to wake the loop, and never before this: after every turn the clock shows what is due.
        nextTickMs = Clock.nowMs + tickMs
        let added = sd_event_add_time(
            event, &timer, CLOCK_MONOTONIC, UInt64(nextTickMs) * 1_000, UInt64(tickMs) * 100, { _, _, _ in 0 }, nil)
        guard added >= 0 else { throw GatewayError(doing: "making a timer", code: -added) }
    }

    deinit {
        sd_event_source_disable_unref(timer)
        sd_event_unref(event)
    }

    private let tickMs: Int64
    private var nextTickMs: Int64

    /// Calls `handler` with epoll's events, which are level-triggered, as long as the returned source lives.
    func watch(
        _ descriptor: Int32, for events: UInt32, handler: @escaping (UInt32) -> Void
    ) throws(GatewayError) -> Source {
        let source = Source(events, handler)
        let status = sd_event_add_io(
            event, &source.source, descriptor, events,
            { _, _, events, context in
                guard let context else { return 0 }
                Unmanaged<Source>.fromOpaque(context).takeUnretainedValue().handler(events)
                return 0
            }, Unmanaged.passUnretained(source).toOpaque())
        guard status >= 0 else { throw GatewayError(doing: "watching a descriptor", code: -status) }
        return source
    }

    /// Takes over a signal for the rest of the process' life. It has to be blocked (`block`).
    func watchSignal(_ number: Int32, handler: @escaping () -> Void) throws(GatewayError) {
        let source = Source(0) { _ in handler() }
        let status = sd_event_add_signal(
            event, &source.source, number,
            { _, _, context in
                guard let context else { return 0 }
                Unmanaged<Source>.fromOpaque(context).takeUnretainedValue().handler(0)
                return 0
            }, Unmanaged.passUnretained(source).toOpaque())
        guard status >= 0 else { throw GatewayError(doing: "watching a signal", code: -status) }
        signals.append(source)
    }

    /// From here on the signal waits for its watcher.
    static func block(_ number: Int32) throws(GatewayError) {
        var set = sigset_t()
        sigemptyset(&set)
        sigaddset(&set, number)
        guard sigprocmask(SIG_BLOCK, &set, nil) == 0 else {
            throw GatewayError(doing: "blocking a signal", code: errno)
        }
    }

    /// Waits for a source and handles it. `isBriefly`: it only looks. Returns whether it is time for a tick.
    func turn(isBriefly: Bool) throws(GatewayError) -> Bool {
        let status = sd_event_run(event, isBriefly ? 0 : UInt64.max)
        guard status >= 0 || status == -EINTR else { throw GatewayError(doing: "waiting for events", code: -status) }
        let nowMs = Clock.nowMs
        guard nowMs >= nextTickMs else { return false }
        nextTickMs = nowMs + tickMs
        sd_event_source_set_time(timer, UInt64(nextTickMs) * 1_000)
        sd_event_source_set_enabled(timer, Int32(SD_EVENT_ONESHOT))
        return true
    }
}

/// A watched descriptor or signal. Ends with `cancel`, which must come before a descriptor is closed.
final class Source {
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
