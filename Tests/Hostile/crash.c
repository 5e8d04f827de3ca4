// Crashes in many ways, with the daemon's own handler: crash KIND.

#include "crash.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static volatile int *volatile nowhere;
// A frame each, that no optimisation takes away.
static int deep(volatile char *before) {
    volatile char here[4096];
    here[0] = before[0];
    return deep(here) + here[0];
}

int main(int count, char **words) {
    const char *how = count > 1 ? words[1] : "";
    static char request[1000];
    memset(request, 'x', sizeof request);
    memcpy(request, "LIKE 1 \"\\\r\n\x80", 12);
    if (crash_handler_install(1) != 0) return 1;
    if (strcmp(how, "nothing") == 0) {
        crash_reading_begin(CRASH_REDIS, -1, request, 12);
        crash_reading_end();
        *nowhere = 1;
    } else if (strcmp(how, "request") == 0) {
        crash_reading_begin(CRASH_REQUEST, -1, request, 12);
        *nowhere = 1;
    } else if (strcmp(how, "long") == 0) {
        crash_reading_begin(CRASH_MESSAGE, -1, request, sizeof request);
        *nowhere = 1;
    } else if (strcmp(how, "unmapped") == 0) {
        char *gone = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        crash_reading_begin(CRASH_REDIS, -1, gone, 4096);
        munmap(gone, 4096);
        *nowhere = 1;
    } else if (strcmp(how, "stack") == 0) {
        crash_reading_begin(CRASH_POSTGRES, -1, request, 6);
        return deep(request);
    } else if (strcmp(how, "abort") == 0) {
        crash_reading_begin(CRASH_HANDOVER, -1, NULL, 0);
        abort();
    } else if (strcmp(how, "trap") == 0) {
        crash_reading_begin(CRASH_HANDOVER, -1, NULL, 0);
        __builtin_trap();
    } else if (strcmp(how, "settings") == 0) {
        crash_reading_begin(CRASH_REQUEST, -1, request, sizeof request);
        crash_reading_settings("/etc/likesd/likesd.conf");
        crash_reading_line(12);
        *nowhere = 1;
    }
    return 2;
}
