#pragma once
#include <sys/types.h>

// Until the next call, recv(2) returns at most this many bytes to this thread, and then reports that there are none
// yet. Negative: no limit.
void receive_limit(ssize_t bytes);

// How many of them are left.
ssize_t receive_left(void);
