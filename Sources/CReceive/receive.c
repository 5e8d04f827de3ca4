// With overflow checks on, the C library may replace recv(2) by its own inline form.
#undef _FORTIFY_SOURCE
#include <receive.h>
#include <errno.h>
#include <stddef.h>
#include <sys/socket.h>

static _Thread_local ssize_t left = -1;

void receive_limit(ssize_t bytes) { left = bytes; }

ssize_t receive_left(void) { return left; }

// Replaces the C library's function, also for the libraries: the linker looks for a name in the program first.
__attribute__((visibility("default"), used)) ssize_t recv(int descriptor, void *bytes, size_t count, int flags) {
    if (left == 0) {
        errno = EAGAIN;
        return -1;
    }
    if (left > 0 && count > (size_t)left) count = (size_t)left;
    ssize_t received = recvfrom(descriptor, bytes, count, flags, NULL, NULL);
    if (left > 0 && received > 0 && !(flags & MSG_PEEK)) left -= received;
    return received;
}
