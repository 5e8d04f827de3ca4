#pragma once
#include <sys/types.h>

// Until the next call, recv(2) gives this thread so many bytes and no more: then it says that there are none yet.
// Negative: as many as there are.
void receive_limit(ssize_t bytes);

// What is left of them.
ssize_t receive_left(void);
