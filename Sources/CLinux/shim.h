#pragma once

// What the Swift module of the C library leaves out.
#include <linux/memfd.h>
#include <malloc.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/types.h>

// Swift calls no variadic functions. There is nothing to do about a failure: waits are then a little longer.
static inline void set_timer_slack_ns(unsigned long ns) { (void)prctl(PR_SET_TIMERSLACK, ns); }

// The C library hides the struct and the function behind _GNU_SOURCE.
struct peer_credentials {
    pid_t pid;
    uid_t uid;
    gid_t gid;
};
static inline int get_peer_credentials(int descriptor, struct peer_credentials *peer) {
    socklen_t size = sizeof *peer;
    return getsockopt(descriptor, SOL_SOCKET, SO_PEERCRED, peer, &size);
}
int memfd_create(const char *name, unsigned int flags);
