#pragma once

#include <stddef.h>
#include <stdint.h>

// The kinds of foreign bytes that the daemon reads. The crash record contains these numbers, so each kind keeps its
// number.
enum crash_kind {
    CRASH_NOTHING = 0,
    CRASH_SETTINGS = 1,
    CRASH_HANDOVER = 2,
    CRASH_REQUEST = 3,
    CRASH_REDIS = 4,
    CRASH_MESSAGE = 5,
    CRASH_POSTGRES = 6,
};

// What is being read now. Volatile: a signal handler reads it, so the stores must happen in the written order.
struct crash_reading {
    volatile const void *volatile bytes;
    // 0: no bytes, or none that may be shown.
    volatile size_t length;
    // A socket with a peer, or -1.
    volatile int peer;
    // The line of a settings file; 0: none.
    volatile long line;
};

// What one process leaves to the next, in memory that outlives it. Both are on one machine, within one boot.
struct crash_record {
    char format[8];
    // 1 from the start until the process ends in order.
    volatile uint32_t running;
    // Crashes in a row, before this run.
    volatile uint32_t crashes;
    // What is being read; enum crash_kind.
    volatile uint32_t kind;
    uint32_t unused;
    // On the monotonic clock, in microseconds.
    volatile int64_t started;
};

extern struct crash_reading crash_reading;
extern struct crash_record *crash_record;

// From here on, bytes of this kind are read, from the socket's peer if it has one. A few stores.
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

// No foreign input is being read any more; the bytes may go.
static inline void crash_reading_end(void) {
    crash_reading.length = 0;
    crash_reading.bytes = NULL;
    crash_record->kind = CRASH_NOTHING;
}

// Settings are being read from this file. Their bytes are never shown: they may be passwords.
void crash_reading_settings(const char *file);

// The line of that file.
static inline void crash_reading_line(long number) { crash_reading.line = number; }

// From here on a crash writes a line to standard error that says what was being read; then the crash takes its usual
// course. `is_prefixed`: with syslog's number in front. Returns 0, or -1 with errno.
int crash_handler_install(int is_prefixed);

// Keeps the record in this memory file, which holds what an earlier process left, or is new and empty. At exit(3) it
// records that nothing crashed. Returns 0, or -1 with errno.
int crash_record_open(int descriptor);

// This run begins now, after this many crashes in a row.
void crash_record_begin(uint32_t crashes, int64_t now);

// The record's present content.
static inline struct crash_record crash_record_now(void) { return *crash_record; }
