#!/usr/bin/env python3
"""Draws the pictures of how-it-works.md, with Python's standard library alone.

    python3 docs/pictures/draw.py           writes the SVG files beside this script
    python3 docs/pictures/draw.py --check   fails if a file is not what would be written
"""

import sys
from pathlib import Path

sys.dont_write_bytecode = True

from kit import BAD, CHILD, DISPLAY, HOST, INK, SHARED, SOFT, Picture  # noqa: E402


def processes():
    p = Picture(
        470,
        "Two processes and what connects them",
        "The child draws into shared surfaces, the display server reads them; a control page, two bells and a channel "
        "connect child and host.",
    )
    p.rect(24, 40, 190, 400, "child")
    p.text(119, 70, "child", 18, "middle", True, CHILD[0])
    p.text(119, 92, "draws", 14, "middle", False, CHILD[0])
    p.rect(572, 40, 190, 250, "host")
    p.text(667, 70, "host", 18, "middle", True, HOST[0])
    p.text(667, 92, "owns the window", 14, "middle", False, HOST[0])
    p.rect(822, 40, 114, 400, "display")
    p.text(879, 70, "display", 16, "middle", True, DISPLAY[0])
    p.text(879, 90, "server", 16, "middle", True, DISPLAY[0])
    # The channel.
    p.line([(214, 128), (572, 128)], "plain", tail=True)
    p.text(393, 118, "channel: rare messages, and handles", 14, "middle")
    # The bells.
    p.line([(214, 168), (572, 168)], "child", dashed=True)
    p.text(393, 160, "bell: “look at the word”", 14, "middle", False, CHILD[0])
    p.line([(572, 202), (214, 202)], "host", dashed=True)
    p.text(393, 220, "bell: “a slot is free, or a frame is due”", 14, "middle", False, HOST[0])
    # The control page.
    p.box(288, 238, 210, 44, "shared", "control page", 15, True)
    p.line([(214, 260), (288, 260)], "shared", tail=True)
    p.line([(572, 260), (498, 260)], "shared", tail=True)
    # The surfaces.
    for slot in range(3):
        p.box(288 + slot * 72, 334, 66, 74, "shared", ["slot", str(slot)], 14)
    p.text(393, 430, "surfaces: the pixels, shared memory", 14, "middle", False, SHARED[0])
    p.line([(214, 371), (288, 371)], "child")
    p.text(251, 362, "draws", 14, "middle", False, CHILD[0])
    p.line([(498, 371), (822, 371)], "display")
    p.text(660, 362, "reads", 14, "middle", False, DISPLAY[0])
    p.text(660, 392, "no copy through the host", 14, "middle", False, SOFT)
    p.line([(762, 160), (822, 160)], "host")
    p.text(792, 130, "show", 13, "middle", False, HOST[0])
    p.text(792, 148, "slot 2", 13, "middle", False, HOST[0])
    p.line([(822, 210), (762, 210)], "display")
    p.text(792, 232, "let go", 13, "middle", False, DISPLAY[0])
    p.text(792, 249, "of slot 0", 13, "middle", False, DISPLAY[0])
    return p


def rendezvous():
    p = Picture(
        372,
        "How two processes find each other",
        "Left: the child inherits one end of a socket pair and nobody else can connect. Right: a name that a stranger can "
        "also look up, or register first.",
    )
    p.text(30, 38, "Without a name: the socket is inherited", 16, bold=True)
    p.box(40, 70, 110, 70, "host", "host", 16, True)
    p.box(320, 70, 110, 70, "child", "child", 16, True)
    p.line([(150, 105), (320, 105)], "plain", tail=True)
    p.text(235, 95, "socket pair", 14, "middle")
    p.text(235, 126, "made by the host", 13, "middle", False, SOFT)
    p.curve("M95,140 C95,210 375,210 375,140", "host")
    p.text(235, 222, "spawn hands one end down", 14, "middle", False, HOST[0])
    p.box(180, 270, 110, 50, "bad", "stranger", 15)
    p.text(235, 346, "there is no name to ask for", 14, "middle", False, BAD[0])
    p.line([(480, 24), (480, 348)], "plain", width=1, head=False)
    p.text(510, 38, "With a name: anyone may ask for it", 16, bold=True)
    p.box(510, 70, 100, 56, "host", "host", 16, True)
    p.box(830, 70, 100, 56, "child", "child", 16, True)
    p.box(590, 178, 260, 48, "plain", "com.example.messageport", 15)
    p.text(720, 168, "the name service", 13, "middle", False, SOFT)
    p.line([(560, 126), (630, 178)], "host")
    p.text(574, 156, "check in", 14, "end", False, HOST[0])
    p.line([(880, 126), (810, 178)], "child")
    p.text(866, 156, "look up", 14, "start", False, CHILD[0])
    p.box(665, 290, 110, 50, "bad", "stranger", 15)
    p.line([(690, 290), (660, 226)], "bad", dashed=True)
    p.text(660, 262, ["checks in first:", "now it is the “host”"], 13, "end", False, BAD[0])
    p.line([(750, 290), (780, 226)], "bad", dashed=True)
    p.text(784, 262, ["looks up: now it", "is a “child”"], 13, "start", False, BAD[0])
    return p


def handles():
    p = Picture(
        412,
        "How a handle travels",
        "A message cannot carry a handle's number, which means nothing elsewhere. The kernel writes a new entry for the same "
        "object into the receiver's table, on Linux by SCM_RIGHTS, in Mach by a port descriptor.",
    )
    panels = (
        (30, "Linux: file descriptors", "fd 5", "fd 11", "SCM_RIGHTS", "memfd, sealed", "fd table"),
        (500, "macOS: Mach port rights", "0x1203", "0x2a07", "port descriptor", "port → IOSurface", "port names"),
    )
    for x, title, here, there, how, thing, table in panels:
        p.text(x, 38, title, 16, bold=True)
        p.rect(x, 60, 130, 140, "child")
        p.text(x + 65, 86, "child", 16, "middle", True, CHILD[0])
        p.text(x + 65, 108, table, 13, "middle", False, CHILD[0])
        p.box(x + 20, 122, 90, 34, "child", here, 15, fill="#ffffff")
        p.rect(x + 300, 60, 130, 140, "host")
        p.text(x + 365, 86, "host", 16, "middle", True, HOST[0])
        p.text(x + 365, 108, table, 13, "middle", False, HOST[0])
        p.box(x + 320, 122, 90, 34, "host", there, 15, fill="#ffffff")
        p.line([(x + 130, 139), (x + 300, 139)], "plain")
        p.text(x + 215, 128, "Setup message", 14, "middle")
        p.text(x + 215, 160, how, 14, "middle", True)
        p.rect(x, 226, 430, 100, "plain")
        p.text(x + 215, 247, "kernel", 14, "middle", True, SOFT)
        p.box(x + 125, 260, 180, 52, "shared", thing, 15, True)
        p.line([(x + 65, 156), (x + 65, 286), (x + 125, 286)], "child")
        p.line([(x + 365, 156), (x + 365, 286), (x + 305, 286)], "host")
    p.text(30, 354, ["The number is only a place in one process's table. The kernel", "adds a reference and picks a new number."], 14, fill=SOFT)
    p.text(500, 354, ["What travels is the right to send to a port. Each right that", "arrives is counted, and must be given back once."], 14, fill=SOFT)
    return p


def tearing():
    scale, left = 8.4, 140
    p = Picture(
        520,
        "Two surfaces and a message, against a swapchain",
        "With two surfaces and no release the child draws frame 3 into surface A while A is still being shown: torn. With "
        "three slots and a release, what is shown is never drawn into.",
    )

    def at(ms):
        return left + ms * scale

    def row(y, kind, name, spans):
        p.text(24, y + 21, name, 15, "start", True, {"child": CHILD, "display": DISPLAY}[kind][0])
        for start, end, label, *other in spans:
            p.box(at(start), y, (end - start) * scale, 32, other[0] if other else kind, label, 13)

    p.text(24, 36, "Two surfaces and a message a frame: nothing says when a surface is free again", 16, bold=True)
    row(70, "child", "child draws", [(0, 8, "1 in A"), (16.7, 25, "2 in B"), (33.3, 41.5, "3 in A"), (50, 58, "4 in B"), (66.7, 75, "5 in A")])
    row(138, "display", "on screen", [(22, 33.3, "A: frame 1"), (33.3, 41.5, "1 and 3", "bad"), (41.5, 58, "A: frame 3"), (58, 93, "B: frame 4")])
    p.rect(at(33.3), 62, 8.2 * scale, 116, "bad", dashed=True, fill="none", width=2)
    p.text(at(37.4), 198, "A is drawn into while it is shown: torn", 14, "middle", True, BAD[0])
    p.line([(24, 222), (936, 222)], "plain", width=1, head=False)
    p.text(24, 254, "Three slots and a release: the child draws only into what it owns", 16, bold=True)
    row(288, "child", "child draws", [(0, 8, "1 in A"), (16.7, 25, "2 in B"), (33.3, 41.5, "3 in C"), (50, 57, "4 in B"), (66.7, 75, "5 in C")])
    row(372, "display", "on screen", [(22, 58, "A: frame 1, whole"), (58, 93, "B: frame 4, the newest")])
    p.line([(at(41.5), 320), (at(41.5), 340)], "shared", head=False)
    p.text(at(41.5), 356, "3 takes 2 back: B is free", 13, "middle", False, SHARED[0])
    p.line([(at(60), 404), (at(60), 422)], "shared", head=False)
    p.text(at(60), 438, "A is released", 13, "middle", False, SHARED[0])
    p.line([(at(75), 320), (at(75), 340)], "shared", head=False)
    p.text(at(75), 356, "5 collects A", 13, "middle", False, SHARED[0])
    p.line([(at(0), 468), (at(94), 468)], "plain", width=1.5)
    for ms in range(0, 91, 10):
        p.line([(at(ms), 464), (at(ms), 472)], "plain", width=1, head=False)
        p.text(at(ms), 490, str(ms), 13, "middle", False, SOFT)
    p.text(24, 473, "time, ms", 13, fill=SOFT)
    return p


def word():
    cell, left, y = 14, 32, 100
    p = Picture(
        452,
        "The word, bit by bit",
        "Bits 0 to 15 are the slots given back, 16 to 23 the unread frame's slot plus one, 24 to 61 its sequence, 62 the "
        "child sleeps, 63 the host sleeps. Below it the begin-frame word.",
    )

    def field(y, high, low, kind, label, value=None):
        x, w = left + (63 - high) * cell, (high - low + 1) * cell
        p.rect(x, y, w, 44, kind, radius=2)
        for bit in range(low + 1, high + 1):
            tick = left + (64 - bit) * cell
            p.line([(tick, y + 38), (tick, y + 44)], kind, width=1, head=False)
        colour = {"child": CHILD, "host": HOST}[kind][0]
        if label:
            p.text(x + w / 2, y + 27, label, 15, "middle", True, colour)
        if high != low:
            p.text(x + 4, y - 6, str(high), 12, fill=SOFT)
            p.text(x + w - 4, y - 6, str(low), 12, "end", False, SOFT)
        if value is not None:
            for index, bit in enumerate(range(high, low - 1, -1)):
                one = value >> bit & 1
                p.text(x + (index + 0.5) * cell, y + 66, str(one), 12, "middle", bool(one), colour if one else "#64748b", True)

    value = 9 << 24 | (2 + 1) << 16 | 1 << 0
    p.text(24, 36, "The hand-off word: one for each generation", 16, bold=True)
    p.text(24, 60, "A field has the colour of the side that sets it. The other side may clear it.", 14, fill=SOFT)
    field(y, 63, 63, "host", None, value)
    field(y, 62, 62, "child", None, value)
    field(y, 61, 24, "child", "sequence of the unread frame", value)
    field(y, 23, 16, "child", "slot + 1", value)
    field(y, 15, 0, "host", "slots given back", value)
    p.line([(left + cell / 2, 174), (left + cell / 2, 238)], "host", width=1.5, head=False)
    p.text(left + cell / 2 + 6, 238, "63: the host sleeps, ring for a frame", 14, "start", False, HOST[0])
    p.line([(left + cell * 1.5, 174), (left + cell * 1.5, 202)], "child", width=1.5, head=False)
    p.text(left + cell * 1.5 + 6, 212, "62: the child sleeps, ring for a slot", 14, "start", False, CHILD[0])
    p.text(928, 212, "in this example frame 9 waits unread in slot 2,", 14, "end")
    p.text(928, 232, "and the host has given back slot 0:", 14, "end")
    p.text(928, 254, "0x" + f"{value:019_x}", 14, "end", True, INK, True)
    p.line([(24, 278), (936, 278)], "plain", width=1, head=False)
    p.text(24, 310, "The begin-frame word: one for the connection", 16, bold=True)
    field(348, 63, 63, "host", None)
    field(348, 62, 62, "child", None)
    field(348, 61, 0, "host", "when the display wants the next frame, in nanoseconds")
    p.line([(left + cell / 2, 392), (left + cell / 2, 434)], "host", width=1.5, head=False)
    p.text(left + cell / 2 + 6, 436, "63: hidden, nobody can see the frames", 14, "start", False, HOST[0])
    p.line([(left + cell * 1.5, 392), (left + cell * 1.5, 408)], "child", width=1.5, head=False)
    p.text(left + cell * 1.5 + 6, 414, "62: the child sleeps, ring for a begin-frame", 14, "start", False, CHILD[0])
    return p


def slots():
    p = Picture(
        400,
        "Who owns a slot, and when",
        "Free and drawing belong to the child; unread lies in the word; held belongs to the host; given back lies in the word "
        "again. A newer present takes an unread frame back.",
    )
    p.rect(24, 24, 250, 352, "child", fill="#f5f9ff", dashed=True)
    p.rect(354, 24, 252, 352, "shared", fill="#f3fdf8", dashed=True)
    p.rect(686, 24, 250, 352, "host", fill="#fffaf3", dashed=True)
    p.text(149, 50, "the child's own account", 14, "middle", True, CHILD[0])
    p.text(480, 50, "in the word", 14, "middle", True, SHARED[0])
    p.text(811, 50, "the host's own account", 14, "middle", True, HOST[0])
    p.box(64, 80, 170, 64, "child", "drawing", 17, True, fill="#dbeafe")
    p.box(64, 280, 170, 64, "child", "free", 17, True)
    p.box(395, 80, 170, 64, "shared", "unread", 17, True)
    p.box(395, 280, 170, 64, "shared", "given back", 17, True)
    p.box(726, 180, 170, 64, "host", "held", 17, True)
    p.line([(149, 280), (149, 144)], "child")
    p.text(140, 218, "acquire", 15, "end", False, CHILD[0])
    p.line([(234, 112), (395, 112)], "child")
    p.text(314, 102, "present", 15, "middle", False, CHILD[0])
    p.line([(565, 112), (811, 112), (811, 180)], "host")
    p.text(646, 102, "take", 15, "middle", False, HOST[0])
    p.line([(811, 244), (811, 312), (565, 312)], "host")
    p.text(646, 334, "release", 15, "middle", False, HOST[0])
    p.text(811, 336, "the display let go", 13, "middle", False, SOFT)
    p.line([(395, 312), (234, 312)], "child")
    p.text(314, 334, "collect", 15, "middle", False, CHILD[0])
    p.line([(410, 144), (218, 280)], "child")
    p.text(376, 204, "a newer present", 14, "start", False, CHILD[0])
    p.text(376, 224, "takes it back", 14, "start", False, CHILD[0])
    return p


def handoff():
    p = Picture(
        560,
        "Present, take and release, step by step",
        "Each step shows what one side does and what then stands in the word: slots given back, unread slot, its sequence, "
        "and who sleeps.",
    )
    columns = (352, 420, 488, 550)
    p.text(150, 40, "child", 17, "middle", True, CHILD[0])
    p.text(451, 40, "the word afterwards", 17, "middle", True, SHARED[0])
    p.text(770, 40, "host", 17, "middle", True, HOST[0])
    for x, name in zip(columns, ("back", "unread", "frame", "asleep")):
        p.text(x, 64, name, 13, "middle", False, SOFT)
    steps = (
        ("host", ["arms: fetch_or(bit 63), then looks:", "nothing unread, so it sleeps"], ("–", "–", "–", "host")),
        ("child", ["presents frame 1 in slot 0", "saw “host sleeps”: rings"], ("–", "0", "1", "–")),
        ("host", ["takes: swap(0) yields slot 0, frame 1;", "it is checked and shown"], ("–", "–", "–", "–")),
        ("child", ["presents frame 2 in slot 1", "host is awake: no bell"], ("–", "1", "2", "–")),
        ("child", ["presents frame 3 in slot 2", "frame 2 comes back: slot 1"], ("–", "2", "3", "–")),
        ("host", ["takes: swap(0) yields slot 2, frame 3;", "so frame 2 was superseded"], ("–", "–", "–", "–")),
        ("host", ["the display let go: fetch_or(slot 0),", "then looks: the child is awake, no bell"], ("0", "–", "–", "–")),
        ("child", ["presents frame 4 in slot 1", "collects slot 0"], ("–", "1", "4", "–")),
    )
    for index, (side, label, state) in enumerate(steps):
        y = 78 + index * 58
        p.rect(314, y, 274, 42, "shared", radius=4)
        for x, value in zip(columns, state):
            p.text(x, y + 27, value, 15, "middle", value != "–", SHARED[0] if value != "–" else "#64748b", True)
        if side == "child":
            p.text(24, y + 17, label, 14, "start", False, CHILD[0])
            p.line([(252, y + 21), (314, y + 21)], "child")
        else:
            p.text(652, y + 17, label, 14, "start", False, HOST[0])
            p.line([(646, y + 21), (588, y + 21)], "host")
    p.line([(588, 157), (646, 157)], "child", dashed=True)
    p.text(652, 162, "the bell rings, the host wakes", 14, fill=CHILD[0])
    return p


def wakeup():
    p = Picture(
        648,
        "A lost wake-up, and how one word prevents it",
        "First: the child looks, the host releases and sees no flag, the child sets its flag in another word and sleeps for "
        "ever. Then: flag and slots in one word; whichever write comes second sees the first.",
    )

    def lanes(y, title):
        p.text(24, y, title, 16, bold=True)
        p.text(24, y + 46, "child", 15, "start", True, CHILD[0])
        p.text(24, y + 116, "host", 15, "start", True, HOST[0])
        p.line([(80, y + 78), (936, y + 78)], "plain", width=1.5)

    lanes(40, "The flag in another word, set after a look: lost")
    p.box(92, 62, 168, 42, "child", ["looks: no slot free"], 14)
    p.box(282, 134, 150, 42, "host", ["gives back slot 1"], 14)
    p.box(446, 134, 170, 42, "host", ["looks: no flag, no bell"], 14)
    p.box(632, 62, 120, 42, "child", ["sets its flag"], 14)
    p.box(766, 62, 170, 42, "bad", ["sleeps, for ever"], 14, True)
    p.line([(24, 204), (936, 204)], "plain", width=1, head=False)
    lanes(236, "One word, the child's bit first: the host sees it")
    p.box(92, 258, 200, 42, "child", ["sets bit 62 in the word"], 14)
    p.box(306, 258, 150, 42, "child", ["looks: no slot"], 14)
    p.box(470, 258, 90, 42, "child", ["sleeps"], 14, dashed=True, fill="#ffffff")
    p.box(340, 330, 220, 42, "host", ["sets slot 1's bit in the word"], 14)
    p.box(574, 330, 166, 42, "host", ["looks: bit 62: rings"], 14)
    p.line([(740, 351), (772, 351), (772, 300)], "host", dashed=True)
    p.box(752, 258, 184, 42, "child", ["wakes, collects slot 1"], 14)
    p.line([(24, 400), (936, 400)], "plain", width=1, head=False)
    lanes(432, "One word, the host's bit first: the child sees it")
    p.box(92, 526, 220, 42, "host", ["sets slot 1's bit in the word"], 14)
    p.box(326, 526, 176, 42, "host", ["looks: nobody sleeps"], 14)
    p.box(514, 454, 196, 42, "child", ["sets bit 62 in the word"], 14)
    p.box(724, 454, 212, 42, "child", ["looks: slot 1! Stays awake"], 14)
    p.text(24, 608, "All writes to one word stand in one order. Each side writes first and looks after, so the second writer always", 14, fill=SOFT)
    p.text(24, 628, "sees what the first one wrote.", 14, fill=SOFT)
    return p


def pacing():
    left, step = 150, 96
    p = Picture(
        372,
        "A timer drifts, a begin-frame does not",
        "A timer slightly slower than the display slides along until one refresh has no new frame. Begin-frames start each "
        "frame from the display's own tick.",
    )
    p.text(24, 36, "Each dashed line is a refresh of the display, 16.7 ms apart", 14, fill=SOFT)
    for tick in range(9):
        p.line([(left + tick * step, 50), (left + tick * step, 350)], "display", width=1.5, head=False, dashed=True)
    p.text(24, 92, "own timer", 15, bold=True)
    p.text(24, 112, "each 18 ms", 13, fill=SOFT)
    for frame in range(8):
        x = left + 34 + frame * step * 1.09
        if x + 36 < 940:
            p.box(x, 78, 36, 34, "child", str(frame + 1), 14)
    p.text(24, 160, "shown", 14, "start", True, DISPLAY[0])
    # Frame n is ready where its box ends; a refresh shows the newest that is ready.
    ready = [left + 34 + frame * step * 1.09 + 36 for frame in range(8)]
    last = 0
    for tick in range(1, 8):
        shown = sum(1 for x in ready if x <= left + tick * step)
        again = shown == last
        p.box(left + tick * step + 4, 138, step - 8, 34, "bad" if again else "display", f"{shown} again" if again else str(shown), 14)
        last = shown
    p.line([(24, 200), (936, 200)], "plain", width=1, head=False)
    p.text(24, 244, "begin-frame", 15, bold=True)
    p.text(24, 264, "from the display", 13, fill=SOFT)
    for tick in range(8):
        x = left + tick * step
        p.dot(x, 246, "host")
        p.line([(x, 246), (x + 16, 246)], "host")
        p.box(x + 18, 229, 36, 34, "child", str(tick + 1), 14)
    p.text(24, 316, "shown", 14, "start", True, DISPLAY[0])
    for tick in range(1, 8):
        p.box(left + tick * step + 4, 294, step - 8, 34, "display", str(tick), 14)
    return p


def resize():
    p = Picture(
        452,
        "A resize is a transaction",
        "Configure asks for a new size, Setup brings surfaces of it, the pane holds the old picture until the new "
        "generation's first frame, switches in one step, and Retired ends the old generation.",
    )
    p.text(24, 98, "host", 15, "start", True, HOST[0])
    p.line([(100, 92), (936, 92)], "host", head=False)
    p.text(24, 218, "child", 15, "start", True, CHILD[0])
    p.line([(100, 212), (936, 212)], "child", head=False)
    messages = (
        (150, 200, 92, 212, "Configure", ["800×500, serial 7"], "host"),
        (330, 380, 212, 92, "Setup", ["generation 2, its handles"], "child"),
        (545, 595, 212, 92, "present", ["first frame of 2"], "child"),
        (740, 790, 92, 212, "Retired", ["generation 1"], "host"),
    )
    for x1, x2, y1, y2, name, more, kind in messages:
        p.line([(x1, y1), (x2, y2)], kind)
        p.text((x1 + x2) / 2 + 16, 146, name, 15, "start", True, {"child": CHILD, "host": HOST}[kind][0])
        p.text((x1 + x2) / 2 + 16, 165, more, 13, fill=SOFT)
    p.text(150, 74, "the window grows", 13, "middle", False, SOFT)
    p.text(595, 56, ["switches size and", "picture in one step"], 13, "middle", False, SOFT)
    p.text(740, 56, ["the display let go of", "the last old frame"], 13, "middle", False, SOFT)
    p.text(290, 238, "makes new surfaces", 13, "middle", False, SOFT)
    p.text(475, 238, "draws", 13, "middle", False, SOFT)
    p.text(800, 238, "frees the old ones", 13, "start", False, SOFT)
    p.text(24, 290, "pane", 15, "start", True, DISPLAY[0])
    p.box(100, 270, 50, 34, "display", "1", 14)
    p.box(150, 270, 445, 34, "display", "1, at its own size on the host's fill (hold)", 14, fill="#ffffff", dashed=True)
    p.box(595, 270, 341, 34, "display", "2, at the new size", 14)
    p.text(24, 348, "page", 15, "start", True, SHARED[0])
    p.box(100, 328, 690, 34, "shared", "block of generation 1", 14)
    p.box(380, 372, 556, 34, "shared", "block of generation 2", 14)
    p.text(100, 432, "For a while both generations live, each with a block of its own in the control page: nothing can mix them up.", 14, fill=SOFT)
    return p


def death():
    p = Picture(
        400,
        "A child dies, another takes over",
        "The pidfd tells the host. The last frame stays on screen while the host clears up, waits and starts a new child, "
        "whose first frame takes over the pane.",
    )
    p.text(24, 34, "The pane never goes empty", 16, bold=True)
    p.text(24, 78, "first child", 15, "start", True, CHILD[0])
    p.box(130, 58, 150, 34, "child", "draws", 14)
    p.cross(280, 75, 9)
    p.text(296, 81, "killed", 14, "start", True, BAD[0])
    p.text(24, 158, "host", 15, "start", True, HOST[0])
    p.line([(280, 92), (280, 138)], "bad", dashed=True)
    p.text(272, 120, "pidfd", 13, "end", False, BAD[0])
    p.box(280, 138, 130, 34, "host", "clears up, reaps", 13)
    p.box(410, 138, 110, 34, "host", "back-off", 14, dashed=True, fill="#ffffff")
    p.box(520, 138, 80, 34, "host", "spawns", 14)
    p.box(600, 138, 336, 34, "host", "supervises", 14, fill="#ffffff")
    p.text(24, 238, "next child", 15, "start", True, CHILD[0])
    p.line([(560, 172), (560, 218)], "host")
    p.box(560, 218, 180, 34, "child", "Hello, Setup", 14, fill="#ffffff")
    p.box(740, 218, 196, 34, "child", "draws", 14)
    p.line([(780, 252), (780, 298)], "child")
    p.text(788, 280, "first frame", 13, "start", False, CHILD[0])
    p.text(24, 318, "pane", 15, "start", True, DISPLAY[0])
    p.box(130, 298, 150, 34, "display", "frames", 14)
    p.box(280, 298, 500, 34, "display", "the first child's last whole frame", 14, fill="#ffffff", dashed=True)
    p.box(780, 298, 156, 34, "display", "frames", 14)
    p.text(24, 364, "The host keeps the memory of that one picture alive by its own handle; everything else of the first child is given back", 14, fill=SOFT)
    p.text(24, 383, "at once. The old surface goes when the display server has let go of it.", 14, fill=SOFT)
    return p


PICTURES = (processes, rendezvous, handles, tearing, word, slots, handoff, wakeup, pacing, resize, death)


def main():
    here = Path(__file__).resolve().parent
    check = "--check" in sys.argv[1:]
    stale = []
    for draw in PICTURES:
        path, svg = here / f"{draw.__name__}.svg", draw().svg()
        if not check:
            path.write_text(svg, encoding="utf-8")
        elif not path.exists() or path.read_text(encoding="utf-8") != svg:
            stale.append(path.name)
    if stale:
        sys.exit(f"not what draw.py draws: {', '.join(stale)}; run it again")


if __name__ == "__main__":
    main()
