// Reports what was being read when the process crashed.
//
// The handler only calls functions that signal-safety(7) allows, allocates no memory, and trusts no pointer.

#include "crash.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    // Foreign bytes that are shown, each as up to four characters.
    shown_bytes_max = 256,
    // These bytes, a path, and words. Below what a pipe takes as a whole (PIPE_BUF).
    line_bytes_max = 2048,
    path_bytes_max = 512,
    // Far more than the handler needs, including the registers that the kernel may save.
    stack_bytes = 64 * 1024,
};

static const char format[8] = "likesd1";
static struct crash_record own_record = {.format = "likesd1"};
struct crash_record *crash_record = &own_record;
struct crash_reading crash_reading = {.peer = -1};

static char settings_file[path_bytes_max];
static int is_prefixed;
// A pipe: writing unmapped memory to it fails instead of ending the process.
static int probe[2] = {-1, -1};
static _Alignas(16) char stack[stack_bytes];

static const struct {
    int number;
    const char *name;
} signals[] = {
    {SIGSEGV, "SIGSEGV"}, {SIGBUS, "SIGBUS"},   {SIGILL, "SIGILL"},
    {SIGTRAP, "SIGTRAP"}, {SIGABRT, "SIGABRT"}, {SIGFPE, "SIGFPE"},
};
enum { signals_count = sizeof signals / sizeof *signals };

struct text {
    size_t length;
    char bytes[line_bytes_max];
};

static void add_byte(struct text *text, char byte) {
    // One byte is left for the line's end.
    if (text->length < line_bytes_max - 1) text->bytes[text->length++] = byte;
}

static void add(struct text *text, const char *more) {
    while (*more) add_byte(text, *more++);
}

static void add_number(struct text *text, unsigned long number) {
    char digits[20];
    size_t count = 0;
    do {
        digits[count++] = (char)('0' + number % 10);
        number /= 10;
    } while (number > 0);
    while (count > 0) add_byte(text, digits[--count]);
}

static void add_escaped(struct text *text, unsigned char byte) {
    static const char digits[] = "0123456789abcdef";
    if (byte >= ' ' && byte <= '~' && byte != '"' && byte != '\\') {
        add_byte(text, (char)byte);
    } else {
        add(text, "\\x");
        add_byte(text, digits[byte >> 4]);
        add_byte(text, digits[byte & 15]);
    }
}

// The peer of a client's socket, according to the kernel.
static void add_peer(struct text *text) {
    struct {
        pid_t pid;
        uid_t uid;
        gid_t gid;
    } peer;
    socklen_t size = sizeof peer;
    if (crash_reading.peer < 0 || getsockopt(crash_reading.peer, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) return;
    add(text, " from the client with process id ");
    add_number(text, (unsigned long)peer.pid);
    add(text, ", user id ");
    add_number(text, peer.uid);
}

static void add_bytes(struct text *text) {
    size_t length = crash_reading.length;
    if (length == 0) return;
    unsigned char shown[shown_bytes_max];
    size_t wanted = length < sizeof shown ? length : sizeof shown;
    ssize_t count = write(probe[1], (const void *)crash_reading.bytes, wanted);
    if (count > 0) count = read(probe[0], shown, sizeof shown);
    if (count <= 0) {
        add(text, ": its bytes cannot be read");
        return;
    }
    add(text, (size_t)count < length ? ", which begins: \"" : ": \"");
    for (ssize_t place = 0; place < count; place++) add_escaped(text, shown[place]);
    add_byte(text, '"');
    if ((size_t)count < length) {
        add(text, " (");
        add_number(text, length);
        add(text, " bytes)");
    }
}

static void add_reading(struct text *text) {
    add(text, " while reading ");
    switch (crash_record->kind) {
    case CRASH_SETTINGS:
        add(text, "its settings");
        if (crash_reading.line > 0) {
            add(text, ", line ");
            add_number(text, (unsigned long)crash_reading.line);
            add(text, " of ");
            for (const char *byte = settings_file; *byte; byte++) add_escaped(text, (unsigned char)*byte);
        }
        return;
    case CRASH_HANDOVER: add(text, "what the previous process handed over"); break;
    case CRASH_REQUEST:
        add(text, "a request");
        add_peer(text);
        break;
    case CRASH_REDIS: add(text, "a reply from Redis"); break;
    case CRASH_MESSAGE: add(text, "a message from Redis"); break;
    case CRASH_POSTGRES: add(text, "an answer from PostgreSQL"); break;
    default: add(text, "no foreign input"); return;
    }
    add_bytes(text);
}

static void handle(int number, siginfo_t *info, void *context) {
    (void)context;
    int code = errno;
    // First, so that a second crash in here ends the process.
    for (int place = 0; place < signals_count; place++) signal(signals[place].number, SIG_DFL);
    struct text line;
    line.length = 0;
    add(&line, is_prefixed ? "<2>" : "critical: ");
    add(&line, "likesd crashed with ");
    for (int place = 0; place < signals_count; place++) {
        if (signals[place].number == number) add(&line, signals[place].name);
    }
    if (info->si_code == SI_USER) {
        add(&line, ", sent by process ");
        add_number(&line, (unsigned long)info->si_pid);
        add(&line, ",");
    }
    add_reading(&line);
    line.bytes[line.length++] = '\n';
    // If nobody reads the log, there is nobody to tell.
    ssize_t written = write(STDERR_FILENO, line.bytes, line.length);
    (void)written;
    errno = code;
    // Blocked until this returns: then it ends the process as if there had been no handler.
    raise(number);
}

int crash_handler_install(int prefixed) {
    is_prefixed = prefixed;
    stack_t other = {.ss_sp = stack, .ss_size = sizeof stack};
    if (sigaltstack(&other, NULL) != 0) return -1;
    if (pipe(probe) != 0) return -1;
    for (int end = 0; end < 2; end++) {
        if (fcntl(probe[end], F_SETFD, FD_CLOEXEC) != 0 || fcntl(probe[end], F_SETFL, O_NONBLOCK) != 0) return -1;
    }
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_sigaction = handle;
    action.sa_flags = SA_SIGINFO | SA_ONSTACK;
    sigemptyset(&action.sa_mask);
    for (int place = 0; place < signals_count; place++) {
        if (sigaction(signals[place].number, &action, NULL) != 0) return -1;
    }
    return 0;
}

void crash_reading_settings(const char *file) {
    crash_reading_end();
    crash_reading.peer = -1;
    crash_reading.line = 0;
    strncpy(settings_file, file, sizeof settings_file - 1);
    crash_record->kind = CRASH_SETTINGS;
}

static void end_in_order(void) {
    crash_record->crashes = 0;
    crash_record->kind = CRASH_NOTHING;
    crash_record->running = 0;
}

int crash_record_open(int descriptor) {
    struct stat facts;
    if (fstat(descriptor, &facts) != 0) return -1;
    if (facts.st_size == 0 && ftruncate(descriptor, sizeof(struct crash_record)) != 0) return -1;
    if (facts.st_size != 0 && facts.st_size != sizeof(struct crash_record)) {
        errno = EINVAL;
        return -1;
    }
    void *place = mmap(NULL, sizeof(struct crash_record), PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0);
    if (place == MAP_FAILED) return -1;
    struct crash_record *shared = place;
    // From another version, so its content means nothing here.
    if (memcmp(shared->format, format, sizeof format) != 0) *shared = own_record;
    crash_record = shared;
    return atexit(end_in_order);
}

void crash_record_begin(uint32_t crashes, int64_t now) {
    crash_record->crashes = crashes;
    crash_record->started = now;
    crash_record->kind = CRASH_NOTHING;
    crash_record->running = 1;
}
