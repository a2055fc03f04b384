/*
 * A child of surfaceport in C, written from PROTOCOL.md alone: it shows what it
 * takes to draw for a host without the library. It needs libc and Linux.
 *
 *   child mailbox|fifo SLOTS FRAMES [paced] [partial] [stay]
 *
 * It draws FRAMES frames (0: without end) in the size that the host wants, as
 * fast as slots come free, or with `paced` one for each begin-frame. Then it
 * says Bye; with `stay` it waits for the host's. User messages are sent back as
 * they came. At its end it says on stderr what became of its frames.
 *
 * A frame can be told from all others by its content: each of its words comes
 * from the process id and the frame's sequence, and a hash of them travels in
 * the user data. With `partial` a frame changes one row of the frame before.
 */
#define _GNU_SOURCE
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the messages are little-endian");
_Static_assert(ATOMIC_LLONG_LOCK_FREE == 2, "the control page needs lock-free words");

#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 0x0008U
#endif

/* ---- Messages, as they travel ------------------------------------------ */

enum { HELLO = 1, WELCOME, SETUP, RETIRED, CONFIGURE, MESSAGE, BYE, REFUSED };
enum { MAX_PACKET = 16392, MAX_SLOTS = 16, PAGE_BYTES = 14080, MAGIC = 0x54525053 };
enum { AR24 = 0x34325241, SRGB = 0 };

struct header { uint32_t kind, length; };
struct hello {
    struct header header;
    uint32_t magic;
    uint16_t version_min, version_max;
    uint64_t features, required;
};
struct welcome {
    struct header header;
    uint16_t version, reserved;
    uint32_t page_bytes;
    uint64_t features;
    uint32_t serial, width, height, scale;
    uint32_t max_width, max_height, max_slots, reserved2;
    uint64_t max_bytes;
};
struct setup {
    struct header header;
    uint32_t generation, serial, width, height, format, color_space;
    uint32_t stride, slots, mode, reserved;
    uint64_t bytes_per_slot;
};
struct configure { struct header header; uint32_t serial, width, height, scale; };
struct refused { struct header header; uint32_t subject, code; uint64_t a, b; };
struct retired { struct header header; uint32_t generation; };
struct bye { struct header header; uint32_t reason; };

/* The room for a packet, and for the handles beside it. */
union packet {
    struct header header;
    struct welcome welcome;
    struct configure configure;
    struct refused refused;
    struct retired retired;
    uint8_t bytes[MAX_PACKET];
};
union control { struct cmsghdr align; char bytes[CMSG_SPACE(MAX_SLOTS * sizeof(int))]; };

/* ---- What the child knows ---------------------------------------------- */

typedef _Atomic uint64_t word_t;

#define relaxed memory_order_relaxed
#define acquire memory_order_acquire
#define release memory_order_release
#define acq_rel memory_order_acq_rel

/* A generation of surfaces. Two can live: generation g is swapchains[g % 2]. */
struct swapchain {
    bool live;                      /* set up, and not yet retired */
    uint32_t width, height, stride, own;
    uint64_t bytes, sequence;
    uint64_t content[MAX_SLOTS];    /* which frame a slot last held */
    uint64_t *pixels[MAX_SLOTS];
};

static struct swapchain swapchains[2];
static uint32_t generation;         /* the newest; 0 before the first Setup */

static bool fifo, paced, partial, stay;
static unsigned slots;

static int channel, host_bell, child_bell;
static word_t *page;
static struct welcome welcome;
static struct configure wanted;     /* the newest Configure */
static bool configured;             /* it is not answered yet */
static bool free_frame = true;      /* one frame need not wait for a begin-frame */
static bool over;                   /* the host said Bye, or is gone */
static uint64_t answered;           /* the last begin-frame that a frame answered */

static uint64_t presented, superseded, missed, outcomes_read, outcomes[4];

/* ---- The channel ------------------------------------------------------- */

static void send_packet(const void *packet, size_t length, const int *handles, size_t count)
{
    union control control = { 0 };
    struct iovec bytes = { (void *)packet, length };
    struct msghdr message = { .msg_iov = &bytes, .msg_iovlen = 1 };
    if (count > 0) {
        message.msg_control = &control;
        message.msg_controllen = CMSG_SPACE(count * sizeof(int));
        struct cmsghdr *rights = CMSG_FIRSTHDR(&message);
        rights->cmsg_level = SOL_SOCKET;
        rights->cmsg_type = SCM_RIGHTS;
        rights->cmsg_len = CMSG_LEN(count * sizeof(int));
        memcpy(CMSG_DATA(rights), handles, count * sizeof(int));
    }
    while (!over && sendmsg(channel, &message, MSG_NOSIGNAL) < 0) {
        if (errno == EPIPE || errno == ECONNRESET)
            over = true;
        else if (errno == EAGAIN)
            poll(&(struct pollfd) { .fd = channel, .events = POLLOUT }, 1, -1);
        else if (errno != EINTR)
            err(1, "sendmsg");
    }
}

/* Receives one packet, and Welcome's handles where it may come. false: there is
   none at the moment, or no host. */
static bool receive_packet(union packet *packet, int handles[3])
{
    union control control;
    struct iovec bytes = { packet, sizeof *packet };
    struct msghdr message = { .msg_iov = &bytes, .msg_iovlen = 1,
                              .msg_control = &control, .msg_controllen = sizeof control };
    ssize_t length = recvmsg(channel, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    if (length < 0 && (errno == EAGAIN || errno == EINTR))
        return false;
    if (length < 0 && errno != ECONNRESET)
        err(1, "recvmsg");
    if (length <= 0) {
        over = true;
        return false;
    }
    static const uint32_t lengths[] = { [WELCOME] = 64, [RETIRED] = 12, [CONFIGURE] = 24,
                                        [BYE] = 12, [REFUSED] = 32 };
    const struct header *header = &packet->header;
    if (message.msg_flags & (MSG_TRUNC | MSG_CTRUNC) || (size_t)length < sizeof *header ||
        header->length != (size_t)length || header->kind > REFUSED ||
        (header->kind != MESSAGE && header->length != lengths[header->kind]))
        errx(1, "a packet that breaks the rules");
    struct cmsghdr *rights = CMSG_FIRSTHDR(&message);
    size_t expected = handles && header->kind == WELCOME ? CMSG_LEN(3 * sizeof(int)) : 0;
    if ((rights ? rights->cmsg_len : 0) != expected)
        errx(1, "handles that break the rules");
    if (rights)
        memcpy(handles, CMSG_DATA(rights), 3 * sizeof(int));
    return true;
}

static void connect_to_host(void)
{
    const char *number = getenv("SURFACEPORT_FD");
    channel = number ? atoi(number) : 0;
    if (channel <= 2 || fcntl(channel, F_SETFD, FD_CLOEXEC) < 0)
        errx(1, "no host: SURFACEPORT_FD is not the number of a socket");
    unsetenv("SURFACEPORT_FD");

    struct hello hello = { { HELLO, sizeof hello }, MAGIC, 1, 1, 0, 0 };
    send_packet(&hello, sizeof hello, NULL, 0);

    static union packet packet;
    int handles[3];
    while (!receive_packet(&packet, handles)) {
        if (over)
            exit(0);
        poll(&(struct pollfd) { .fd = channel, .events = POLLIN }, 1, -1);
    }
    if (packet.header.kind == BYE)
        exit(0);                    /* it has changed its mind */
    if (packet.header.kind == REFUSED)
        errx(1, "refused by the host");
    welcome = packet.welcome;
    if (welcome.header.kind != WELCOME || welcome.version != 1 || welcome.page_bytes < PAGE_BYTES)
        errx(1, "a Welcome that breaks the rules");
    page = mmap(NULL, welcome.page_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, handles[0], 0);
    if (page == MAP_FAILED)
        err(1, "the control page");
    close(handles[0]);
    host_bell = handles[1];
    child_bell = handles[2];
    wanted.serial = welcome.serial; /* the first Setup answers Welcome */
    wanted.width = welcome.width;
    wanted.height = welcome.height;
    configured = true;
}

static void ring_host(void)
{
    if (write(host_bell, &(uint64_t) { 1 }, 8) < 0 && errno != EAGAIN)
        over = true;
}

/* Sleeps until the bell rings or a message comes. The bell is emptied before
   anybody looks at the control page again. */
static void wait_for_bell(void)
{
    struct pollfd both[] = { { channel, POLLIN, 0 }, { child_bell, POLLIN, 0 } };
    char rings[64];
    ssize_t length;
    poll(both, 2, -1);
    while ((length = read(child_bell, rings, sizeof rings)) > 0)
        ;
    if (length == 0)
        over = true;                /* nobody is left who could ring */
}

/* ---- The control page -------------------------------------------------- */

#define FREE         UINT64_C(0xffff)
#define CHILD_SLEEPS (UINT64_C(1) << 62)
#define HOST_SLEEPS  (UINT64_C(1) << 63)
#define SPAN         (UINT64_C(1) << 38)
#define TIME         ((UINT64_C(1) << 62) - 1)

static word_t *at(size_t offset) { return page + offset / 8; }
static word_t *block(size_t offset) { return at(1280 + generation % 2 * 6400 + offset); }

static void put(word_t *word, uint64_t value)
{
    atomic_store_explicit(word, value, relaxed);
}

static void reset_block(void)
{
    for (size_t offset = 128; offset < 6400; offset += 8)
        put(block(offset), 0);
    atomic_store_explicit(block(0), 0, release);
}

/* A free slot, the one with the newest content. -1: there is none. */
static int acquire_slot(struct swapchain *chain)
{
    if (chain->own == 0)
        chain->own = FREE & atomic_fetch_and_explicit(block(0), ~(FREE | CHILD_SLEEPS), acq_rel);
    int best = -1;
    for (unsigned s = 0; s < slots; s++)
        if (chain->own >> s & 1 && (best < 0 || chain->content[s] > chain->content[best]))
            best = (int)s;
    if (best >= 0)
        chain->own &= ~(1u << best);
    return best;
}

/* After acquire_slot found none. false: there is one now. */
static bool may_sleep(void)
{
    return !(FREE & atomic_fetch_or_explicit(block(0), CHILD_SLEEPS, acq_rel));
}

/* Publishes what was drawn: the frame chain->sequence, in this slot. */
static void present(struct swapchain *chain, unsigned slot)
{
    uint64_t frame = (uint64_t)(slot + 1) << 16 | chain->sequence % SPAN << 24;
    if (fifo)
        atomic_store_explicit(block(128) + chain->sequence % slots, frame, release);
    uint64_t before = atomic_exchange_explicit(block(0), frame, acq_rel);
    chain->own |= before & FREE;
    unsigned unread = before >> 16 & 0xff;
    if (!fifo && unread) {
        chain->own |= 1u << (unread - 1);
        superseded++;
    }
    presented++;
    if (before & HOST_SLEEPS)
        ring_host();
}

/* Is a frame wanted? If not, it says that the child sleeps for one, and looks
   again. */
static bool frame_is_wanted(uint64_t *time)
{
    for (int looks = 0; looks < 2; looks++) {
        *time = atomic_load_explicit(at(0), acquire) & TIME;
        if (free_frame || *time != answered)
            return true;
        if (looks == 0)
            atomic_fetch_or_explicit(at(0), CHILD_SLEEPS, acq_rel);
    }
    return false;
}

static void write_record(unsigned slot, uint64_t begin_frame, const uint64_t user[4])
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    word_t *record = block(256 + 128 * slot);
    put(record, (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec);
    put(record + 1, begin_frame);
    put(record + 2, 0);             /* all of the surface is in use */
    put(record + 3, 1);             /* there is user data */
    for (size_t i = 0; i < 4; i++)
        put(record + 8 + i, user[i]);
}

static void write_damage(uint64_t sequence, uint64_t x, uint64_t y, uint64_t w, uint64_t h)
{
    word_t *entry = block(2304 + 64 * (sequence % 64));
    uint64_t key = UINT64_C(1) << 63 | UINT64_C(1) << 40 | sequence % SPAN;
    put(entry, 0);
    atomic_thread_fence(release);
    put(entry + 1, x | y << 16 | w << 32 | h << 48);
    atomic_store_explicit(entry, key, release);
}

static void read_outcomes(void)
{
    for (;;) {
        uint64_t written = atomic_load_explicit(at(128), acquire);
        if (written == outcomes_read)
            return;
        if (written - outcomes_read >= 64) {
            missed += written - 63 - outcomes_read;
            outcomes_read = written - 63;
        }
        word_t *entry = at(256 + 16 * (outcomes_read % 64));
        uint64_t key = atomic_load_explicit(entry, relaxed);
        atomic_thread_fence(acquire);
        if (atomic_load_explicit(at(128), relaxed) - outcomes_read >= 64)
            continue;               /* it was written over meanwhile */
        outcomes_read++;
        outcomes[key >> 62]++;
    }
}

/* ---- Surfaces ---------------------------------------------------------- */

static int make_surface(uint64_t bytes, uint64_t **pixels)
{
    unsigned flags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
    int fd = memfd_create("surface", flags | MFD_NOEXEC_SEAL);
    if (fd < 0 && errno == EINVAL)
        fd = memfd_create("surface", flags);
    if (fd < 0 || ftruncate(fd, (off_t)bytes) < 0 || fallocate(fd, 0, 0, (off_t)bytes) < 0 ||
        fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) < 0)
        err(1, "a surface");
    *pixels = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (*pixels == MAP_FAILED)
        err(1, "a surface's mapping");
    return fd;
}

static void free_surfaces(struct swapchain *chain)
{
    for (unsigned s = 0; chain->live && s < slots; s++)
        munmap(chain->pixels[s], chain->bytes);
    chain->live = false;
}

/* The next generation, in the size that the host wants. */
static void set_up(void)
{
    struct swapchain *chain = &swapchains[++generation % 2];
    uint32_t width = wanted.width ? wanted.width : 64;
    uint32_t height = wanted.height ? wanted.height : 64;
    memset(chain, 0, sizeof *chain);
    chain->live = true;
    chain->width = width < welcome.max_width ? width : welcome.max_width;
    chain->height = height < welcome.max_height ? height : welcome.max_height;
    chain->stride = (chain->width * 4 + 255) / 256 * 256;
    uint64_t system_page = (uint64_t)sysconf(_SC_PAGESIZE);
    chain->bytes = (uint64_t)chain->stride * chain->height;
    chain->bytes = (chain->bytes + system_page - 1) / system_page * system_page;
    chain->own = (1u << slots) - 1;
    int handles[MAX_SLOTS];
    for (unsigned s = 0; s < slots; s++)
        handles[s] = make_surface(chain->bytes, &chain->pixels[s]);

    reset_block();
    struct setup setup = { { SETUP, sizeof setup }, generation, wanted.serial, chain->width,
                           chain->height, AR24, SRGB, chain->stride, slots, fifo, 0,
                           chain->bytes };
    send_packet(&setup, sizeof setup, handles, slots);
    for (unsigned s = 0; s < slots; s++)
        close(handles[s]);
    configured = false;
    free_frame = true;
}

static void read_messages(void)
{
    static union packet packet;
    while (!over && receive_packet(&packet, NULL)) {
        switch (packet.header.kind) {
        case RETIRED:
            free_surfaces(&swapchains[packet.retired.generation % 2]);
            break;
        case CONFIGURE:
            wanted = packet.configure;
            configured = free_frame = true;
            break;
        case MESSAGE:
            send_packet(&packet, packet.header.length, NULL, 0);
            break;
        case BYE:
            over = true;
            break;
        case REFUSED:               /* back to the generation before it, if there is one */
            if (packet.refused.subject != generation || generation == 1)
                errx(1, "refused by the host");
            free_surfaces(&swapchains[generation-- % 2]);
            free_frame = true;      /* the one before is lost */
            break;
        default:
            errx(1, "a message out of order");
        }
    }
}

/* ---- Drawing ----------------------------------------------------------- */

/* Takes one more word into a hash. */
static uint64_t mix(uint64_t hash, uint64_t word)
{
    return ((hash << 23 | hash >> 41) ^ word) * UINT64_C(0x9e3779b97f4a7c15);
}

/* Draws the frame after chain->sequence into this slot, and presents it. */
static void draw(struct swapchain *chain, unsigned slot, uint64_t begin_frame)
{
    const uint64_t pid = (uint64_t)getpid();
    uint64_t n = ++chain->sequence, *pixels = chain->pixels[slot], i = 0;
    uint64_t age = n - chain->content[slot];
    bool blank = chain->content[slot] == 0;
    uint64_t lanes[4] = { 1, 2, 3, 4 }, hash = UINT64_C(0x9e3779b97f4a7c15);
    for (uint64_t y = 0; y < chain->height; y++) {
        /* The frame that changed this row last, and whether the slot lacks it. */
        uint64_t behind = partial ? (n + chain->height - y) % chain->height : 0;
        uint64_t source = behind < n ? n - behind : 0;
        uint64_t seed = (pid << 40 | source) * UINT64_C(0x2545f4914f6cdd1d);
        bool dirty = blank || behind < age;
        for (uint64_t x = 0; x < chain->stride / 8; x++, i++) {
            uint64_t word = seed ^ i * UINT64_C(0x9e3779b9);
            if (dirty)
                pixels[i] = word;
            lanes[i % 4] = mix(lanes[i % 4], word);
        }
    }
    for (int l = 0; l < 4; l++)
        hash = mix(hash, lanes[l]);
    chain->content[slot] = n;

    write_record(slot, begin_frame, (uint64_t[4]) { hash, pid, n, generation });
    if (partial && n > 1)
        write_damage(n, 0, n % chain->height, chain->width, 1);
    else
        write_damage(n, 0, 0, chain->width, chain->height);
    present(chain, slot);
}

int main(int count, char **arguments)
{
    signal(SIGPIPE, SIG_IGN);       /* stderr may go to the host, too */
    if (count < 4)
        errx(1, "usage: child mailbox|fifo SLOTS FRAMES [paced] [partial] [stay]");
    fifo = strcmp(arguments[1], "fifo") == 0;
    slots = (unsigned)atoi(arguments[2]);
    uint64_t frames = strtoull(arguments[3], NULL, 10);
    for (char **word = arguments + 4; *word; word++) {
        paced |= strcmp(*word, "paced") == 0;
        partial |= strcmp(*word, "partial") == 0;
        stay |= strcmp(*word, "stay") == 0;
    }

    connect_to_host();
    if (slots < 2 || slots > MAX_SLOTS || slots > welcome.max_slots)
        errx(1, "2 to %u slots", welcome.max_slots);

    /* Each round looks at everything anew, then draws one frame or sleeps once.
       The look for messages is a system call, the only one while both are awake;
       a child that minds can look now and then. */
    while (read_messages(), !over) {
        read_outcomes();
        if (configured && !swapchains[(generation + 1) % 2].live)
            set_up();               /* the generation before the newest is retired */
        bool done = frames != 0 && presented >= frames;
        if (done && !stay)
            break;

        struct swapchain *chain = &swapchains[generation % 2];
        uint64_t begin_frame = 0;
        int slot = -1;
        if (done || (paced && !frame_is_wanted(&begin_frame))) {
            wait_for_bell();
        } else if ((slot = acquire_slot(chain)) < 0) {
            if (may_sleep())
                wait_for_bell();
        } else {
            draw(chain, (unsigned)slot, begin_frame == answered ? 0 : begin_frame);
            answered = paced ? begin_frame : 0;
            free_frame = false;
        }
    }

    struct bye bye = { { BYE, sizeof bye }, 0 };
    if (!over)
        send_packet(&bye, sizeof bye, NULL, 0);
    read_outcomes();
    fprintf(stderr, "presented %llu shown %llu superseded %llu stale %llu lost %llu missed %llu\n",
            (unsigned long long)presented, (unsigned long long)outcomes[0],
            (unsigned long long)(outcomes[1] + superseded), (unsigned long long)outcomes[2],
            (unsigned long long)outcomes[3], (unsigned long long)missed);
    return 0;
}
