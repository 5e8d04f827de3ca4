// Floods an HTTP server with GET requests on connections that stay open, and says how many it answered a second.
//
//     http_flood PORT TARGET KEYS CONNECTIONS REQUESTS
//
// The server is at 127.0.0.1. Behind TARGET comes a random number below KEYS; KEYS 0: nothing does. One request is under
// way on each connection. Requests are made before the clock starts. Of a response no more is looked at than its status,
// which has to be 200, and its Content-Length, which it has to have.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
    CONNECTIONS_MAX = 1000,
    TARGET_BYTES_MAX = 1000,
    REQUEST_BYTES_MAX = TARGET_BYTES_MAX + 100,
    // Different requests: fewer keys than KEYS would be easier on the server's caches.
    REQUESTS_MADE = 16384,
    // A whole response has to fit.
    RESPONSE_BYTES_MAX = 16 * 1024,
    EVENTS = 64,
    // No response for so long: the server hangs.
    SILENCE_MS = 10000,
};

struct connection {
    int descriptor;
    size_t length;
    char bytes[RESPONSE_BYTES_MAX + 1];
};

struct request {
    size_t length;
    const char *bytes;
};

static struct connection connections[CONNECTIONS_MAX];
static struct request requests[REQUESTS_MADE];
static size_t request_next;

__attribute__((noreturn, format(printf, 1, 2))) static void fail(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    fputs("http_flood: ", stderr);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
    exit(1);
}

static uint64_t number(const char *name, const char *text, uint64_t min, uint64_t max) {
    char *end;
    errno = 0;
    unsigned long long value = strtoull(text, &end, 10);
    if (errno || *end || end == text || *text == '-' || value < min || value > max)
        fail("%s is %llu to %llu, not '%s'", name, (unsigned long long)min, (unsigned long long)max, text);
    return value;
}

static double seconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec + now.tv_nsec / 1e9;
}

static void make_requests(const char *target, unsigned keys) {
    if (strlen(target) > TARGET_BYTES_MAX) fail("the target is too long");
    srandom(7);
    for (size_t place = 0; place < REQUESTS_MADE; place++) {
        char text[REQUEST_BYTES_MAX], key[24] = "";
        if (keys) snprintf(key, sizeof key, "%ld", random() % keys);
        int length = snprintf(text, sizeof text, "GET %s%s HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", target, key);
        char *bytes = strdup(text);
        if (!bytes) fail("no memory for the requests");
        requests[place] = (struct request){length, bytes};
    }
}

static void send_request(struct connection *connection) {
    const struct request *request = &requests[request_next];
    if (++request_next == REQUESTS_MADE) request_next = 0;
    connection->length = 0;
    ssize_t sent = send(connection->descriptor, request->bytes, request->length, MSG_NOSIGNAL);
    if (sent != (ssize_t)request->length) fail("sending: %s", sent < 0 ? strerror(errno) : "not all was taken");
}

// Whether the response is whole.
static int is_whole(struct connection *connection) {
    connection->bytes[connection->length] = 0;
    const char *end = strstr(connection->bytes, "\r\n\r\n");
    if (!end) return 0;
    if (strncmp(connection->bytes, "HTTP/1.1 200 ", 13) != 0) fail("answered with '%.100s'", connection->bytes);
    const char *field = strcasestr(connection->bytes, "\r\ncontent-length:");
    if (!field || field > end) fail("answered without Content-Length");
    size_t body = strtoul(field + strlen("\r\ncontent-length:"), NULL, 10);
    size_t whole = (size_t)(end - connection->bytes) + 4 + body;
    if (whole > RESPONSE_BYTES_MAX || connection->length > whole) fail("answered with more than one response");
    return connection->length == whole;
}

static int connect_all(unsigned port, unsigned count) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int epoll = epoll_create1(EPOLL_CLOEXEC), one = 1;
    if (epoll < 0) fail("making an epoll: %s", strerror(errno));
    for (unsigned place = 0; place < count; place++) {
        int descriptor = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        struct epoll_event event = {.events = EPOLLIN, .data.u32 = place};
        if (descriptor < 0 || connect(descriptor, (struct sockaddr *)&address, sizeof address) != 0
            || setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one) != 0
            || epoll_ctl(epoll, EPOLL_CTL_ADD, descriptor, &event) != 0)
            fail("connecting to 127.0.0.1:%u: %s", port, strerror(errno));
        connections[place].descriptor = descriptor;
    }
    return epoll;
}

static void run(int epoll, unsigned count, uint64_t wanted) {
    struct epoll_event events[EVENTS];
    uint64_t sent = 0, answered = 0;
    for (unsigned place = 0; place < count && sent < wanted; place++, sent++) send_request(&connections[place]);
    while (answered < wanted) {
        int ready = epoll_wait(epoll, events, EVENTS, SILENCE_MS);
        if (ready == 0) fail("no response for %d s", SILENCE_MS / 1000);
        if (ready < 0 && errno != EINTR) fail("waiting: %s", strerror(errno));
        for (int place = 0; place < ready; place++) {
            struct connection *connection = &connections[events[place].data.u32];
            ssize_t received = recv(
                connection->descriptor, connection->bytes + connection->length,
                RESPONSE_BYTES_MAX - connection->length, 0);
            if (received <= 0) fail("the server closed: %s", received < 0 ? strerror(errno) : "end of the responses");
            connection->length += received;
            if (!is_whole(connection)) continue;
            answered++;
            if (sent++ < wanted) send_request(connection);
        }
    }
}

int main(int count, char **arguments) {
    if (count != 6) fail("usage: http_flood PORT TARGET KEYS CONNECTIONS REQUESTS");
    unsigned port = number("PORT", arguments[1], 1, 65535);
    make_requests(arguments[2], number("KEYS", arguments[3], 0, 10000000));
    unsigned open = number("CONNECTIONS", arguments[4], 1, CONNECTIONS_MAX);
    uint64_t wanted = number("REQUESTS", arguments[5], 1, 1000000000);
    int epoll = connect_all(port, open);
    struct rusage before, after;
    getrusage(RUSAGE_SELF, &before);
    double began = seconds();
    run(epoll, open, wanted);
    double took = seconds() - began;
    getrusage(RUSAGE_SELF, &after);
    double cpu = after.ru_utime.tv_sec - before.ru_utime.tv_sec + after.ru_stime.tv_sec - before.ru_stime.tv_sec
        + (after.ru_utime.tv_usec - before.ru_utime.tv_usec + after.ru_stime.tv_usec - before.ru_stime.tv_usec) / 1e6;
    printf("{\"requests\": %llu, \"seconds\": %.6f, \"per_second\": %.1f, \"cpu_seconds\": %.6f}\n",
           (unsigned long long)wanted, took, wanted / took, cpu);
    return 0;
}
