// The C side of what sys/macos counts on, held against Apple's headers. Each
// line has its twin in Rust (sys/macos/kern/types.rs, sys/mach_frame.rs).
#include <mach/mach.h>
#include <mach/message.h>
#include <stddef.h>

#define SAME(name, value, expected) \
    _Static_assert((value) == (expected), name " differs from Apple's header");

SAME("header", sizeof(mach_msg_header_t), 24)
