#pragma once

#include <stddef.h>
#include <stdint.h>

// What bytes of others the daemon reads. The record of a crash holds these numbers: a kind keeps its own.
enum crash_kind {
    CRASH_NOTHING = 0,
    CRASH_SETTINGS = 1,
    CRASH_HANDOVER = 2,
    CRASH_REQUEST = 3,
    CRASH_REDIS = 4,
    CRASH_MESSAGE = 5,
    CRASH_POSTGRES = 6,
};

// What is being read now. Volatile: a signal's handler reads it, so the order of the stores is what is written here.
struct crash_reading {
    volatile const void *volatile bytes;
    // 0: no bytes, or none that may be shown.
    volatile size_t length;
    // A socket with a peer, or -1.
    volatile int peer;
    // Of a file of settings; 0: no line of it.
    volatile long line;
};

// What one process leaves to the next, in memory that outlives it. All of it is of one machine and one boot.
struct crash_record {
    char format[8];
    // 1 from the start until the end in order.
    volatile uint32_t running;
    // Crashes in a row, before this run.
    volatile uint32_t crashes;
    // What is being read; enum crash_kind.
    volatile uint32_t kind;
    uint32_t unused;
    // Of the monotonic clock, in microseconds.
    volatile int64_t started;
};

extern struct crash_reading crash_reading;
extern struct crash_record *crash_record;

// Bytes of this kind are read from here on, of the socket's peer where it is one. A few stores.
static inline void crash_reading_begin(enum crash_kind kind, int peer, const void *bytes, size_t length) {
    crash_reading.length = 0;
    crash_reading.peer = peer;
    crash_reading.bytes = bytes;
    crash_record->kind = kind;
    crash_reading.length = length;
}

// The same, further on.
static inline void crash_reading_at(const void *bytes, size_t length) {
    crash_reading.length = 0;
    crash_reading.bytes = bytes;
    crash_reading.length = length;
}

// Nothing of others is read any more; the bytes may go.
static inline void crash_reading_end(void) {
    crash_reading.length = 0;
    crash_reading.bytes = NULL;
    crash_record->kind = CRASH_NOTHING;
}

// Settings are read, of this file. Their bytes are never shown: they may be passwords.
void crash_reading_settings(const char *file);

// The line of that file.
static inline void crash_reading_line(long number) { crash_reading.line = number; }

// From here on a crash writes a line to standard error that says what was being read; then it goes on as without.
// `is_prefixed`: with syslog's number in front. 0, or -1 with errno.
int crash_handler_install(int is_prefixed);

// Keeps the record in this file in memory, which has what an earlier process left, or is new and empty. At exit(3) it
// says that nothing crashed. 0, or -1 with errno.
int crash_record_open(int descriptor);

// A row of crashes goes on, or none: this run begins now.
void crash_record_begin(uint32_t crashes, int64_t now);

// As it stands.
static inline struct crash_record crash_record_now(void) { return *crash_record; }
