import CHiredis
import CSystemd
import Glibc
import LikesCore

/// hiredis on sd-event: notes what hiredis wants to be told of, and tells it.
///
/// The wish to write is first met by `writeIfWanted` at the end of a turn; only what the socket did not take then is
/// waited for. So the usual command costs no change of the event loop.
final class RedisAdapter {
    private let context: UnsafeMutablePointer<redisAsyncContext>
    private var source: IOSource?
    private var wantsRead = false
    private var wantsWrite = false
    /// hiredis is about to free the context, after any of its functions called here.
    private let onFree: () -> Void

    init(
        _ context: UnsafeMutablePointer<redisAsyncContext>, loop: EventLoop, onFree: @escaping () -> Void
    ) throws(DaemonError) {
        self.context = context
        self.onFree = onFree
        source = try loop.watch(context.pointee.c.fd, for: 0) { [unowned self] events in self.ready(events) }
        context.pointee.ev.data = Unmanaged.passUnretained(self).toOpaque()
        context.pointee.ev.addRead = { RedisAdapter.of($0)?.wantsRead = true }
        context.pointee.ev.delRead = { RedisAdapter.of($0)?.wantsRead = false }
        context.pointee.ev.addWrite = { RedisAdapter.of($0)?.wantsWrite = true }
        context.pointee.ev.delWrite = { RedisAdapter.of($0)?.wantsWrite = false }
        context.pointee.ev.cleanup = { RedisAdapter.of($0)?.end() }
    }

    private static func of(_ data: UnsafeMutableRawPointer?) -> RedisAdapter? {
        data.map { Unmanaged<RedisAdapter>.fromOpaque($0).takeUnretainedValue() }
    }

    private func end() {
        source?.cancel()
        source = nil
        onFree()
    }

    private func ready(_ events: UInt32) {
        let failed = events & (EPOLLERR.rawValue | EPOLLHUP.rawValue) != 0
        // hiredis may free the context in either; `source` is gone then.
        if wantsWrite && (failed || events & EPOLLOUT.rawValue != 0) { redisAsyncHandleWrite(context) }
        if source != nil && (failed || events & EPOLLIN.rawValue != 0) { redisAsyncHandleRead(context) }
    }

    /// Only once connected: before, hiredis would take the call for the news that it is.
    func writeIfWanted() {
        if source != nil && wantsWrite { redisAsyncHandleWrite(context) }
    }

    /// Waits for what hiredis wants.
    func apply() {
        source?.setEvents((wantsRead ? EPOLLIN.rawValue : 0) | (wantsWrite ? EPOLLOUT.rawValue : 0))
    }
}
