import CPostgres
import LikesCore

/// Asks a second connection, like one that is being set up, for PostgreSQL's process id.
final class SessionProbe {
    private let overrides: ConnectionStart.Settings
    private let loop: EventLoop
    private let onEnd: (String?) -> Void
    private var probe: Probe<String>?
    private var timer: OneTimer?

    /// `onEnd` is called once, unless the probe is cancelled before; nil: nobody answered in time.
    init(url: String, _ overrides: ConnectionStart.Settings, loop: EventLoop, onEnd: @escaping (String?) -> Void) {
        self.overrides = overrides
        self.loop = loop
        self.onEnd = onEnd
        probe = Probe(
            url: url, question: SessionLook.question, loop: loop,
            read: { result in result.rowCount == 1 ? try? result.text(0, 0) : nil },
            onEnd: { [unowned self] in self.end(try? $0.get()) })
    }

    func begin() {
        do throws(DaemonError) {
            timer = try loop.timer(afterMs: EdgeLimits.secondSessionMsMax) { [unowned self] in self.end(nil) }
        } catch {
            return end(nil)
        }
        if probe?.start(overrides) != nil { end(nil) }
    }

    func cancel() {
        timer?.cancel()
        timer = nil
        probe?.cancel()
        probe = nil
    }

    private func end(_ session: String?) {
        cancel()
        onEnd(session)
    }
}
