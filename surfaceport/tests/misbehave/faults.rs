//! The rows of the catalogue of faults that no child can play, and where they
//! are tried instead.

/// A test is named by its file, from `surfaceport/`, and its name; that it is
/// there is checked.
pub const ELSEWHERE: &[(&[u8], &str)] = &[
    (
        &[14],
        "nothing that a child says names a surface of another: a generation is a number of its own connection, and handles can't be guessed. Two children beside each other: `tests/frames.rs: children_that_are_killed_leave_nothing_of_theirs`",
    ),
    (
        &[19],
        "the host at its limit of open files: `src/sys/linux/tests/limits.rs: running_out_of_files_is_said_and_leaks_nothing`",
    ),
    (
        &[20],
        "the user's limit of handles in flight, which binds nobody who is root: `src/sys/linux/tests/limits.rs: too_many_handles_in_flight_are_refused_for_now`",
    ),
    (
        &[29, 30, 52],
        "there are no dma-bufs and no fences on Linux yet: a surface is a memfd, drawn by the processor before it is presented",
    ),
    (
        &[31],
        "there is no SIGBUS guard, and none is needed: a surface that could be cut short or has huge pages is refused",
    ),
    (
        &[47],
        "a host that never releases is not hostile; its child gets `NoFreeSlot`: `tests/death.rs: child_killed_in_every_state` holds all slots",
    ),
    (
        &[49],
        "there is no lock between the processes, and no loop on a shared word: `cargo xtask disasm`",
    ),
    (
        &[61],
        "processes are watched, signalled and reaped by pidfd: `src/sys/linux/tests/process.rs: a_child_that_somebody_else_reaped_is_gone_too`",
    ),
    (&[65], "`tests/death.rs: host_killed_in_every_state`"),
    (&[66], "`src/sys/linux/tests/limits.rs: everything_closes_on_exec`"),
    (
        &[67],
        "a forked host is told so when it starts a child; its frames and sessions are the parent's, and it must not use them",
    ),
    (
        &[68, 69],
        "the types rule it out: a frame moves, owns what it needs, and can be dropped on any thread: `tests/frames.rs: frames_come_back_from_any_thread_in_any_order`",
    ),
    (&[70], "the library calls nobody back"),
    (&[71], "counts are of u64, or capped: frames by the number of slots, generations by two"),
    (
        &[72],
        "faults in the host's system calls: `tests/bad_input.rs: a_system_that_lacks_something`",
    ),
    (
        &[73],
        "an end by the kernel is a SIGKILL: the rows on B59; a cgroup of its own needs rights that a test has not",
    ),
    (&[74], "`tests/bad_input.rs: too_many_open_files`"),
    (&[76], "`tests/bad_input.rs: a_system_that_lacks_something`"),
    (&[77], "the sandbox has its own tests"),
    (&[78], "`tests/steady_state.rs: a_frame_allocates_maps_opens_and_faults_nothing`"),
    (
        &[79],
        "lengths are rounded up by the size of pages that the system says; no machine with larger ones was at hand: *not run*",
    ),
    (
        &[80],
        "`src/sys/linux/tests/names.rs: the_directory_is_private`, `src/sys/linux/tests/names.rs: the_directory_is_one`",
    ),
    (&[81], "abstract names are never used"),
    (&[82], "`src/sys/linux/tests/names.rs: what_a_dead_process_left_is_replaced`"),
    (&[83], "`src/sys/linux/tests/names.rs: another_user_is_refused`"),
    (
        &[84],
        "a child that is started has a nameless connection that no other process can take; a name can be used by every process of the user, and SAFETY.md says so",
    ),
];
