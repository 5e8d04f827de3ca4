// Floods a server with reads of counters, and says how many it answered a second.
//
//     flood SOCKET VERB PREFIX ITEMS KEYS CONNECTIONS DEPTH REQUESTS
//
// One request names ITEMS keys, each PREFIX and a random number below KEYS in 12 digits. DEPTH requests are under way
// on each connection; the next ones go out when all of them have been answered. REQUESTS in all, rounded up to what
// DEPTH divides.
//
// Requests are made before the clock starts. Of a reply no more is looked at than tells that it is what was asked for:
// one count (an integer, or a bulk string of digits), or an array of ITEMS of them. Anything else ends the run.
#define _GNU_SOURCE
#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum {
    CONNECTIONS_MAX = 1000,
    ITEMS_MAX = 1000,
    // Requests of one batch: a socket takes them at once, so that sending never waits for the server.
    BATCH_BYTES_MAX = 64 * 1024,
    // Different batches, at least: fewer keys than KEYS would be easier on the server's caches.
    BATCHES_MIN = 256,
    READ_BYTES = 256 * 1024,
    EVENTS = 64,
    // No reply for so long: the server hangs.
    SILENCE_MS = 10000,
    // Digits of 2^63 − 1.
    DIGITS_MAX = 19,
};

enum state { AT_TYPE, IN_NUMBER, AT_NUMBER_LF, IN_BULK, AT_BULK_CR, AT_BULK_LF };

struct connection {
    int descriptor;
    enum state state;
    char type;
    // The number that is being read, and how many digits of it there were.
    uint64_t number;
    unsigned digits;
    // Digits of a bulk string that are to come.
    unsigned bulk_left;
    // Counts of the array that are to come; 0 where a reply begins.
    unsigned counts_left;
    unsigned replies_left;
};

struct batch {
    const char *bytes;
    size_t length;
};

static struct {
    const char *socket, *verb, *prefix;
    unsigned items, keys, connections, depth;
    uint64_t requests;
} options;

static struct connection connections[CONNECTIONS_MAX];
static struct batch *batches;
static size_t batch_count, batch_next;

__attribute__((noreturn, format(printf, 1, 2))) static void fail(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    fputs("flood: ", stderr);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
    exit(1);
}

static uint64_t number(const char *name, const char *text, uint64_t max) {
    char *end;
    errno = 0;
    unsigned long long value = strtoull(text, &end, 10);
    if (errno || *end || end == text || *text == '-' || value < 1 || value > max)
        fail("%s is 1 to %llu, not '%s'", name, (unsigned long long)max, text);
    return value;
}

static double seconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec + now.tv_nsec / 1e9;
}

static void make_batches(void) {
    size_t request = 64 + strlen(options.verb) + (size_t)options.items * (strlen(options.prefix) + 32);
    if (request * options.depth > BATCH_BYTES_MAX) fail("ITEMS × DEPTH is more than a socket takes at once");
    size_t counts = (size_t)options.items * options.depth;
    batch_count = (options.keys + counts - 1) / counts;
    if (batch_count < BATCHES_MIN) batch_count = BATCHES_MIN;
    batches = calloc(batch_count, sizeof *batches);
    char *text = malloc(request * options.depth);
    if (!batches || !text) fail("no memory for the requests");
    srandom(7);
    for (size_t place = 0; place < batch_count; place++) {
        char *end = text;
        for (unsigned turn = 0; turn < options.depth; turn++) {
            end += sprintf(end, "*%u\r\n$%zu\r\n%s\r\n", options.items + 1, strlen(options.verb), options.verb);
            for (unsigned item = 0; item < options.items; item++)
                end += sprintf(end, "$%zu\r\n%s%012ld\r\n", strlen(options.prefix) + 12, options.prefix,
                               random() % options.keys);
        }
        batches[place].length = end - text;
        batches[place].bytes = memcpy(malloc(end - text), text, end - text);
    }
    free(text);
}

static void send_batch(struct connection *connection) {
    const struct batch *batch = &batches[batch_next];
    if (++batch_next == batch_count) batch_next = 0;
    connection->replies_left = options.depth;
    ssize_t sent = send(connection->descriptor, batch->bytes, batch->length, MSG_NOSIGNAL);
    if (sent != (ssize_t)batch->length) fail("sending: %s", sent < 0 ? strerror(errno) : "not all was taken");
}

__attribute__((noreturn)) static void refuse(const char *at, const char *end, const char *wanted) {
    int length = 0;
    while (at + length < end && length < 200 && at[length] != '\r' && at[length] != '\n') length++;
    fail("answered with '%.*s' instead of %s", length, at, wanted);
}

static bool is_digit(char byte) { return byte >= '0' && byte <= '9'; }

// One count has been read.
static void finish_count(struct connection *connection) {
    if (connection->counts_left == 0 || --connection->counts_left == 0) connection->replies_left--;
    connection->state = AT_TYPE;
}

static void finish_number(struct connection *connection, const char *at, const char *end) {
    switch (connection->type) {
    case ':':
        finish_count(connection);
        break;
    case '*':
        if (connection->number != options.items)
            fail("answered with an array of %llu instead of %u", (unsigned long long)connection->number,
                 options.items);
        connection->counts_left = options.items;
        connection->state = AT_TYPE;
        break;
    default:
        if (connection->number < 1 || connection->number > DIGITS_MAX) refuse(at, end, "a count");
        connection->bulk_left = connection->number;
        connection->state = IN_BULK;
    }
}

static void read_replies(struct connection *connection, const char *at, const char *end) {
    for (; at < end; at++) {
        char byte = *at;
        switch (connection->state) {
        case AT_TYPE:
            if (connection->replies_left == 0) refuse(at, end, "nothing more");
            if (options.items > 1 && connection->counts_left == 0) {
                if (byte != '*') refuse(at, end, "an array");
            } else if (byte != ':' && byte != '$') {
                refuse(at, end, "a count");
            }
            connection->type = byte;
            connection->number = connection->digits = 0;
            connection->state = IN_NUMBER;
            break;
        case IN_NUMBER:
            if (is_digit(byte) && connection->digits < DIGITS_MAX) {
                connection->number = connection->number * 10 + (byte - '0');
                connection->digits++;
            } else if (byte == '\r' && connection->digits > 0) {
                connection->state = AT_NUMBER_LF;
            } else {
                refuse(at, end, "a number");
            }
            break;
        case AT_NUMBER_LF:
            if (byte != '\n') refuse(at, end, "the end of a line");
            finish_number(connection, at, end);
            break;
        case IN_BULK:
            if (!is_digit(byte)) refuse(at, end, "a digit of a count");
            if (--connection->bulk_left == 0) connection->state = AT_BULK_CR;
            break;
        case AT_BULK_CR:
            if (byte != '\r') refuse(at, end, "the end of a count");
            connection->state = AT_BULK_LF;
            break;
        case AT_BULK_LF:
            if (byte != '\n') refuse(at, end, "the end of a count");
            finish_count(connection);
            break;
        }
    }
}

static int connect_all(void) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (strlen(options.socket) >= sizeof address.sun_path) fail("the path of the socket is too long");
    strcpy(address.sun_path, options.socket);
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    if (epoll < 0) fail("making an epoll: %s", strerror(errno));
    for (unsigned place = 0; place < options.connections; place++) {
        int descriptor = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        struct epoll_event event = {.events = EPOLLIN, .data.u32 = place};
        if (descriptor < 0 || connect(descriptor, (struct sockaddr *)&address, sizeof address) != 0
            || epoll_ctl(epoll, EPOLL_CTL_ADD, descriptor, &event) != 0)
            fail("connecting to %s: %s", options.socket, strerror(errno));
        connections[place].descriptor = descriptor;
    }
    return epoll;
}

static void run(int epoll) {
    static char bytes[READ_BYTES];
    struct epoll_event events[EVENTS];
    uint64_t sent = 0, answered = 0;
    for (unsigned place = 0; place < options.connections && sent < options.requests; place++) {
        send_batch(&connections[place]);
        sent += options.depth;
    }
    while (answered < options.requests) {
        int ready = epoll_wait(epoll, events, EVENTS, SILENCE_MS);
        if (ready == 0) fail("no reply for %d s", SILENCE_MS / 1000);
        if (ready < 0 && errno != EINTR) fail("waiting: %s", strerror(errno));
        for (int place = 0; place < ready; place++) {
            struct connection *connection = &connections[events[place].data.u32];
            ssize_t received = recv(connection->descriptor, bytes, sizeof bytes, 0);
            if (received <= 0) fail("the server closed: %s", received < 0 ? strerror(errno) : "end of the replies");
            read_replies(connection, bytes, bytes + received);
            if (connection->replies_left > 0) continue;
            answered += options.depth;
            if (sent < options.requests) {
                send_batch(connection);
                sent += options.depth;
            }
        }
    }
}

int main(int count, char **arguments) {
    if (count != 9) fail("usage: flood SOCKET VERB PREFIX ITEMS KEYS CONNECTIONS DEPTH REQUESTS");
    options.socket = arguments[1];
    options.verb = arguments[2];
    options.prefix = arguments[3];
    options.items = number("ITEMS", arguments[4], ITEMS_MAX);
    options.keys = number("KEYS", arguments[5], 10000000);
    options.connections = number("CONNECTIONS", arguments[6], CONNECTIONS_MAX);
    options.depth = number("DEPTH", arguments[7], 1000);
    options.requests = number("REQUESTS", arguments[8], 1000000000);
    options.requests += (options.depth - options.requests % options.depth) % options.depth;
    make_batches();
    int epoll = connect_all();
    struct rusage before, after;
    getrusage(RUSAGE_SELF, &before);
    double began = seconds();
    run(epoll);
    double took = seconds() - began;
    getrusage(RUSAGE_SELF, &after);
    double cpu = after.ru_utime.tv_sec - before.ru_utime.tv_sec + after.ru_stime.tv_sec - before.ru_stime.tv_sec
        + (after.ru_utime.tv_usec - before.ru_utime.tv_usec + after.ru_stime.tv_usec - before.ru_stime.tv_usec) / 1e6;
    printf("{\"requests\": %llu, \"seconds\": %.6f, \"per_second\": %.1f, \"cpu_seconds\": %.6f}\n",
           (unsigned long long)options.requests, took, options.requests / took, cpu);
    return 0;
}
