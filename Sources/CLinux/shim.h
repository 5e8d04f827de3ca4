#pragma once

// What the Swift module of the C library leaves out.
#include <malloc.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>

// Swift calls no variadic functions. There is nothing to do about a failure: waits are then a little longer.
static inline void set_timer_slack_ns(unsigned long ns) { (void)prctl(PR_SET_TIMERSLACK, ns); }
