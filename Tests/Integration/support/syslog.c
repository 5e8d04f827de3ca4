// Leads what a program says by syslog(3) to a socket of a test's own: the one that SYSLOG_SOCKET names.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static const char *name = "";

int access(const char *path, int mode) {
    int (*real)(const char *, int) = dlsym(RTLD_NEXT, "access");
    return real(strcmp(path, "/dev/log") == 0 ? getenv("SYSLOG_SOCKET") : path, mode);
}

void openlog(const char *given, int options, int facility) {
    (void)options;
    (void)facility;
    name = given;
}

void vsyslog(int priority, const char *format, va_list values) {
    char line[4096];
    int length = snprintf(line, sizeof line, "<%d> %s[%d]: ", priority, name, getpid());
    length += vsnprintf(line + length, sizeof line - length, format, values);
    struct sockaddr_un log = {.sun_family = AF_UNIX};
    strncpy(log.sun_path, getenv("SYSLOG_SOCKET"), sizeof log.sun_path - 1);
    int descriptor = socket(AF_UNIX, SOCK_DGRAM, 0);
    if (sendto(descriptor, line, length, 0, (struct sockaddr *)&log, sizeof log) != length) abort();
    close(descriptor);
}
