#pragma once

// Headers that the Swift module of the C library leaves out.
#include <linux/memfd.h>
#include <errno.h>
#include <malloc.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/types.h>

// Swift cannot call variadic functions. A failure needs no handling: waits are then a little longer.
static inline void set_timer_slack_ns(unsigned long ns) { (void)prctl(PR_SET_TIMERSLACK, ns); }

// Bytes that the process got from malloc(3) and has not freed.
static inline long bytes_held(void) {
    struct mallinfo2 facts = mallinfo2();
    return (long)(facts.uordblks + facts.hblkhd);
}

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

// Bytes in the socket that wait to be read; 0 if unknown.
static inline int bytes_to_read(int descriptor) {
    int bytes = 0;
    return ioctl(descriptor, FIONREAD, &bytes) == 0 ? bytes : 0;
}
int memfd_create(const char *name, unsigned int flags);

// The C library hides it behind _GNU_SOURCE. The socket is closed by exec(2), and never waits.
int accept4(int descriptor, struct sockaddr *address, socklen_t *size, int flags);
static inline int accept_nonblocking(int descriptor, struct sockaddr *address, socklen_t *size) {
    return accept4(descriptor, address, size, SOCK_CLOEXEC | SOCK_NONBLOCK);
}

// Swift cannot use the macros for control messages. Linux passes at most this many descriptors in one message.
#define DESCRIPTORS_PER_MESSAGE 253

union descriptors_control {
    struct cmsghdr header;
    char bytes[CMSG_SPACE(DESCRIPTORS_PER_MESSAGE * sizeof(int))];
};

static inline int make_packet_pair(int ends[2]) { return socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends); }

// Sends them as one message of one byte. Returns 0, or -1 with errno; it does not wait.
static inline int send_descriptors(int socket, const int *descriptors, size_t count) {
    char byte = 0;
    struct iovec data = {&byte, 1};
    union descriptors_control control = {{0}};
    if (count == 0 || count > DESCRIPTORS_PER_MESSAGE) {
        errno = EINVAL;
        return -1;
    }
    struct msghdr message = {
        .msg_iov = &data, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = CMSG_SPACE(count * sizeof(int))};
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(count * sizeof(int));
    memcpy(CMSG_DATA(header), descriptors, count * sizeof(int));
    return sendmsg(socket, &message, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 ? -1 : 0;
}

// Receives the next message's descriptors, DESCRIPTORS_PER_MESSAGE at most, into `descriptors` and their number into
// `count`. Returns 1: a message; 0: the end; -1 with errno. It does not wait.
static inline int receive_descriptors(int socket, int *descriptors, size_t *count) {
    char byte;
    struct iovec data = {&byte, 1};
    union descriptors_control control = {{0}};
    struct msghdr message = {
        .msg_iov = &data, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
    *count = 0;
    ssize_t received = recvmsg(socket, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    if (received <= 0) return (int)received;
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    if (header && header->cmsg_level == SOL_SOCKET && header->cmsg_type == SCM_RIGHTS) {
        *count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        memcpy(descriptors, CMSG_DATA(header), *count * sizeof(int));
    }
    return 1;
}

// Whether reading it never waits: a regular file, /dev/null, or a directory, which is refused at once.
#include <sys/stat.h>
#include <sys/sysmacros.h>
static inline int is_read_at_once(int descriptor) {
    struct stat facts;
    if (fstat(descriptor, &facts) != 0) return 0;
    return S_ISREG(facts.st_mode) || S_ISDIR(facts.st_mode) ||
            (S_ISCHR(facts.st_mode) && facts.st_rdev == makedev(1, 3));
}

// Swift takes the variable itself for state that threads change.
extern char **environ;
static inline char **process_environment(void) { return environ; }
