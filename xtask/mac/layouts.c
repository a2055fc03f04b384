// What sys/mach_frame.rs and sys/macos/kern count on, held against Apple's
// headers. Each line has its twin in Rust.
#include <mach/mach.h>
#include <mach/memory_object_types.h>
#include <mach/message.h>
#include <mach/notify.h>
#include <spawn.h>
#include <stddef.h>
#include <sys/event.h>

#define SAME(what, expected) _Static_assert((what) == (expected), #what)

// mach_frame.rs
SAME(sizeof(mach_msg_header_t), 24);
SAME(offsetof(mach_msg_header_t, msgh_bits), 0);
SAME(offsetof(mach_msg_header_t, msgh_size), 4);
SAME(offsetof(mach_msg_header_t, msgh_remote_port), 8);
SAME(offsetof(mach_msg_header_t, msgh_local_port), 12);
SAME(offsetof(mach_msg_header_t, msgh_voucher_port), 16);
SAME(offsetof(mach_msg_header_t, msgh_id), 20);
SAME(sizeof(mach_msg_body_t), 4);
SAME(sizeof(mach_msg_port_descriptor_t), 12);
SAME(offsetof(mach_msg_port_descriptor_t, name), 0);
SAME(sizeof(mach_msg_audit_trailer_t), 52);
SAME(offsetof(mach_msg_audit_trailer_t, msgh_audit), 20);
SAME(sizeof(mach_msg_max_trailer_t), 68);
SAME(MACH_MSGH_BITS_COMPLEX, 0x80000000u);
SAME(MACH_MSGH_BITS_USER, 0x801f1f1fu);
SAME(MACH_MSG_PORT_DESCRIPTOR, 0);
SAME(MACH_MSG_TYPE_MOVE_RECEIVE, 16);
SAME(MACH_MSG_TYPE_MOVE_SEND, 17);
SAME(MACH_MSG_TYPE_MOVE_SEND_ONCE, 18);
SAME(MACH_MSG_TYPE_COPY_SEND, 19);
SAME(MACH_MSG_TYPE_MAKE_SEND, 20);
SAME(MACH_MSG_TYPE_MAKE_SEND_ONCE, 21);

// kern/types.rs
SAME(KERN_NO_SPACE, 3);
SAME(KERN_INVALID_ARGUMENT, 4);
SAME(KERN_RESOURCE_SHORTAGE, 6);
SAME(KERN_INVALID_NAME, 15);
SAME(KERN_INVALID_RIGHT, 17);
SAME(KERN_INVALID_OBJECT, 29);
SAME(MACH_SEND_INVALID_DATA, 0x10000002);
SAME(MACH_SEND_INVALID_DEST, 0x10000003);
SAME(MACH_SEND_TIMED_OUT, 0x10000004);
SAME(MACH_SEND_INTERRUPTED, 0x10000007);
SAME(MACH_SEND_MSG_TOO_SMALL, 0x10000008);
SAME(MACH_SEND_INVALID_RIGHT, 0x1000000a);
SAME(MACH_SEND_NO_BUFFER, 0x1000000d);
SAME(MACH_RCV_INVALID_NAME, 0x10004002);
SAME(MACH_RCV_TIMED_OUT, 0x10004003);
SAME(MACH_RCV_TOO_LARGE, 0x10004004);
SAME(MACH_RCV_INTERRUPTED, 0x10004005);
SAME(MACH_RCV_PORT_DIED, 0x10004009);
SAME(MACH_SEND_MSG, 0x1);
SAME(MACH_RCV_MSG, 0x2);
SAME(MACH_SEND_TIMEOUT, 0x10);
SAME(MACH_SEND_NOTIFY, 0x80);
SAME(MACH_RCV_TIMEOUT, 0x100);
SAME(MACH_RCV_TRAILER_ELEMENTS(MACH_RCV_TRAILER_AUDIT), 3 << 24);
SAME(MACH_NOTIFY_SEND_POSSIBLE, 0102);
SAME(MACH_NOTIFY_NO_SENDERS, 0106);
SAME(MACH_NOTIFY_SEND_ONCE, 0107);
SAME(MACH_NOTIFY_DEAD_NAME, 0110);
SAME(MACH_PORT_DEAD, 0xffffffffu);
SAME(offsetof(mach_dead_name_notification_t, not_port), 32);
SAME(sizeof(mach_dead_name_notification_t) - sizeof(mach_msg_format_0_trailer_t), 36);
SAME(offsetof(mach_no_senders_notification_t, not_count), 32);

// kern/apple.rs
SAME(sizeof(mach_port_options_t), 24);
SAME(sizeof(struct kevent), 32);
SAME(MAP_MEM_NAMED_CREATE, 0x20000);
SAME(POSIX_SPAWN_CLOEXEC_DEFAULT, 0x4000);

// mach_frame/poc.rs: its message-structures.h
typedef struct {
    mach_msg_header_t header;
    mach_msg_body_t body;
    mach_msg_port_descriptor_t port_descriptors[2];
} MachIOSurfaceSetupMessage;
typedef struct {
    mach_msg_header_t header;
    int surfaceIndex;
} MachIOSurfaceSwapMessage;
SAME(sizeof(MachIOSurfaceSetupMessage), 52);
SAME(offsetof(MachIOSurfaceSetupMessage, body), 24);
SAME(offsetof(MachIOSurfaceSetupMessage, port_descriptors), 28);
SAME(sizeof(MachIOSurfaceSwapMessage), 28);
SAME(offsetof(MachIOSurfaceSwapMessage, surfaceIndex), 24);
