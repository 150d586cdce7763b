"""What the kernel shows of threads and processes in /proc, as values.

Any thread; every function opens, reads and closes at once and keeps nothing.  It must not raise for a target that has vanished or
that may not be looked at (the answer is then empty or None), and must not signal, trace or wait for anything.
"""

from __future__ import annotations

import errno
import os
import platform
from dataclasses import dataclass
from typing import Final, Literal

from tracedbg.model.ids import Pid, Tid
from tracedbg.model.names import WAITID_TYPES, wait_options_text
from tracedbg.model.text import Shown, visible

_ID_TYPES: Final = {number: name for name, number in WAITID_TYPES.items()}

# The two wait calls by number; every other spelling (wait, waitpid, wait3) is one of them inside the C library.
_WAIT_CALLS: Final[dict[int, str]] = {61: "wait4", 247: "waitid"} if platform.machine() == "x86_64" else {260: "wait4", 95: "waitid"}

# A target that is gone (ENOENT before opening, ESRCH between open and read), is another user's (EACCES, EPERM), or was never a
# task of this machine.  Anything else, EMFILE above all, is about us: it must not look like the death of somebody else.
_UNSEEN: Final = frozenset({errno.ENOENT, errno.ESRCH, errno.EACCES, errno.EPERM, errno.ENOTDIR})


@dataclass(frozen=True, slots=True)
class CurrentSyscall:
    """Where a blocked thread stands, from /proc/TID/syscall.

    Attributes:
        number: the system call, -1 when the thread is blocked outside any (a page fault, for example).
        args: its six raw argument registers; empty when `number` is -1.
        sp: stack pointer.
        pc: instruction pointer.
    """

    number: int
    args: tuple[int, ...]
    sp: int
    pc: int


@dataclass(frozen=True, slots=True)
class WaitSleep:
    """One sighting of a thread that sleeps in a call, mostly a wait call.

    Attributes:
        name: of the call; ``wait`` where the kernel shows the sleep but not the call.
        args: the raw argument registers, empty where they are not shown.
        wchan: the kernel function it sleeps in, ``0`` where that is not shown.
        voluntary_switches: how often the thread gave up the processor so far: plus one for each fruitless wake-up.
        evidence: the facts of this sighting in words.
    """

    name: str
    args: tuple[int, ...]
    wchan: str
    voluntary_switches: int
    evidence: str

    @property
    def call(self) -> str:
        """The call as event lines write it: ``wait4(-1, __WALL)``, ``waitid(P_PID, 4242, WSTOPPED)``."""
        if len(self.args) < 4:
            return f"{self.name}(?)"
        if self.name == "wait4":
            return f"wait4({_signed32(self.args[0])}, {wait_options_text(self.args[2])})"
        kind = _ID_TYPES.get(self.args[0], str(self.args[0]))
        return f"waitid({kind}, {_signed32(self.args[1])}, {wait_options_text(self.args[3], waitid=True)})"


@dataclass(frozen=True, slots=True)
class Mapping:
    r"""One line of /proc/PID/maps.

    Attributes:
        start: first address.
        end: the address after the last.
        perms: four letters such as ``r-xp``.
        offset: bytes into the file.
        device: ``major:minor`` in hexadecimal, as the kernel writes it.
        inode: 0 for memory without a file.
        path: as the kernel writes it: a file (a newline in its name as ``\012``, a removed one with `` (deleted)``), a name such
            as ``[heap]``, or empty.  Foreign text: show it through `visible` only.
    """

    start: int
    end: int
    perms: str
    offset: int
    device: str
    inode: int
    path: str


@dataclass(frozen=True, slots=True)
class SignalSets:
    """The five signal sets of a thread, by number.

    Attributes:
        pending: sent to this thread, not yet taken (SigPnd).
        shared_pending: sent to its process (ShdPnd).
        blocked: this thread's mask (SigBlk).
        ignored: the process ignores them (SigIgn).
        caught: the process has handlers for them (SigCgt).
    """

    pending: frozenset[int]
    shared_pending: frozenset[int]
    blocked: frozenset[int]
    ignored: frozenset[int]
    caught: frozenset[int]


def _signed32(value: int) -> int:
    """The C `int` in a register: pid -1 is shown as 0xffffffff or with all 64 bits, as the caller happened to load it."""
    value &= 0xFFFFFFFF
    return value - (1 << 32) if value & 0x80000000 else value


def read_file(path: str) -> bytes | None:
    """All bytes of a file in /proc; None if its owner is gone or closed to us.

    Raises:
        OSError: for reasons that lie with us, such as too many open files.
    """
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            data = chunk = os.read(fd, 8192)
            # A short read is no end of file here: the kernel hands out maps page by page.
            while chunk:
                chunk = os.read(fd, 65536)
                data += chunk
            return data
        finally:
            os.close(fd)
    except OSError as problem:
        if problem.errno in _UNSEEN:
            return None
        raise


def task_dir(tid: int) -> str:
    """The directory of exactly this thread, whoever's it is.

    ``/proc/TID`` exists for every thread (a listing shows leaders only), but speaks partly for the whole process: it has no
    `children` and its times are sums.  ``/proc/TID/task/TID`` is the same thread's own (fs/proc/base.c, proc_task_lookup).
    """
    return f"/proc/{tid}/task/{tid}"


def _stat(tid: int) -> list[bytes]:
    """The fields of stat from the state on (field 3 of proc_pid_stat(5) is number 0 here); empty if gone.

    The name in parentheses is the program's own choice and is not escaped here: only the *last* parenthesis ends it.
    """
    data = read_file(f"{task_dir(tid)}/stat")
    return data[data.rindex(b")") + 2 :].split() if data else []


def state(tid: int) -> str:
    """One letter: R runs, S and D sleep, t stopped by a tracer, T stopped by job control, Z dead and not reaped.

    Empty when there is no such thread any more.
    """
    fields = _stat(tid)
    return fields[0].decode("ascii") if fields else ""


def ppid(tid: int) -> Pid | None:
    """The parent process (0: none in this pid namespace); None if `tid` is gone."""
    fields = _stat(tid)
    return Pid(int(fields[1])) if fields else None


def task_flags(tid: int) -> int | None:
    """The kernel's PF_ bits (include/linux/sched.h); None if gone."""
    fields = _stat(tid)
    return int(fields[6]) if fields else None


def stat_number(tid: int, field: int) -> int | None:
    """A number of stat by its place in proc_pid_stat(5), 4 or above; None if gone."""
    fields = _stat(tid)
    return int(fields[field - 3]) if fields else None


def start_time(tid: int) -> int | None:
    """When the thread began, in clock ticks since boot.  With the number it names one thread for ever; numbers come again."""
    fields = _stat(tid)
    return int(fields[19]) if fields else None


def status_fields(tid: int) -> dict[str, str]:
    """/proc/TID/status by field name, values without outer blanks; empty if gone.

    The kernel escapes newline and backslash in the one foreign value, `Name`; other odd bytes in it remain foreign text.
    """
    data = read_file(f"{task_dir(tid)}/status") or b""
    fields: dict[str, str] = {}
    for line in data.decode("utf-8", "backslashreplace").split("\n"):
        name, colon, value = line.partition(":")
        if colon:
            fields[name] = value.strip(" \t")
    return fields


def tracer_pid(tid: int) -> Tid:
    """The *thread* that traces `tid`, 0 for none and for a thread that is gone (fs/proc/array.c, task_state)."""
    return Tid(int(status_fields(tid).get("TracerPid", "0")))


def traced_by(tracer: int) -> list[Pid]:
    """Every process whose first thread is traced by this thread.  Looks at all processes: some 30 microseconds for each."""
    found = [int(name) for name in os.listdir("/proc") if name.isdecimal()]
    return [Pid(pid) for pid in found if tracer_pid(pid) == tracer]


def tgid(tid: int) -> Pid | None:
    """The process that a thread belongs to; None if gone."""
    value = status_fields(tid).get("Tgid")
    return None if value is None else Pid(int(value))


def switches(tid: int) -> tuple[int, int] | None:
    """How often the thread slept (voluntary) and was made to give way (involuntary); None if gone."""
    fields = status_fields(tid)
    try:
        return int(fields["voluntary_ctxt_switches"]), int(fields["nonvoluntary_ctxt_switches"])
    except KeyError:
        return None


def threads(pid: int) -> list[Tid]:
    """The threads of a process in ascending order, the dead leader of living threads included; empty if gone."""
    try:
        return sorted(Tid(int(name)) for name in os.listdir(f"/proc/{pid}/task"))
    except OSError as problem:
        if problem.errno in _UNSEEN:
            return []
        raise


def thread_named(pid: int, number: int) -> int:
    """The thread of a process that calls itself `number` in its own pid namespace (NSpid of status); 0 if there is none."""
    named = str(number)
    return next((tid for tid in threads(pid) if status_fields(tid).get("NSpid", "").split()[-1:] == [named]), 0)


def living(pid: int) -> bool:
    """Whether a thread of the process can still run: false once all of them are dead, reaped or not."""
    return state(pid) not in ("", "Z", "X") or any(state(tid) not in ("", "Z", "X") for tid in threads(pid))


def children(pid: int, tid: int) -> list[Pid] | None:
    """The processes that thread `tid` of process `pid` has as children.

    None if the thread is gone or the kernel was built without CONFIG_PROC_CHILDREN.  Exact only while they stand still: one that
    is reaped during the read can hide another (proc_pid_children(5)).
    """
    data = read_file(f"/proc/{pid}/task/{tid}/children")
    return None if data is None else [Pid(int(word)) for word in data.split()]


def comm_bytes(tid: int) -> bytes | None:
    """The thread's name in the kernel: up to 15 foreign bytes of any value but zero (longer for kernel threads); None if gone."""
    data = read_file(f"{task_dir(tid)}/comm")
    return None if data is None else data[:-1]  # the kernel adds one newline; others belong to the name


def comm(tid: int) -> Shown:
    """The thread's name made visible; empty if gone."""
    return visible(comm_bytes(tid) or b"")


def cmdline(pid: int) -> tuple[bytes, ...]:
    """The argument vector in the program's memory: foreign bytes, which it may have overwritten.  Empty if gone or a zombie."""
    data = read_file(f"{task_dir(pid)}/cmdline")
    return tuple(data.removesuffix(b"\0").split(b"\0")) if data else ()


def exe(pid: int) -> str | None:
    """The path of the program file, with `` (deleted)`` if it was removed; None if gone, closed to us, or a kernel thread."""
    try:
        return os.readlink(f"/proc/{pid}/exe")
    except OSError as problem:
        if problem.errno in _UNSEEN:
            return None
        raise


def wchan(tid: int) -> str:
    """The kernel function that a thread sleeps in.

    ``0`` while it runs, for an instant while it falls asleep or wakes, and for threads that we may not trace; empty if gone.
    """
    data = read_file(f"{task_dir(tid)}/wchan")
    # Compilers mark copies of a function (do_sigtimedwait.isra.0); the source knows it by the name before the dot.
    return data.decode("ascii", "replace").partition(".")[0] if data else ""


def current_syscall(tid: int) -> CurrentSyscall | Literal["running"] | None:
    """The system call in which a thread is blocked (proc_pid_syscall(5)).

    Returns:
        ``"running"`` for a thread that is not blocked, None if it is gone or closed to us (the kernel asks for the right to
        trace it).
    """
    data = read_file(f"{task_dir(tid)}/syscall")
    if not data:
        return None
    words = data.decode("ascii").split()
    if words[0] == "running":
        return "running"
    *args, sp, pc = (int(word, 16) for word in words[1:])
    return CurrentSyscall(int(words[0]), tuple(args), sp, pc)


def maps(pid: int) -> list[Mapping]:
    """The memory map, lowest address first; empty if gone, closed to us, or without memory (zombie, kernel thread)."""
    data = read_file(f"{task_dir(pid)}/maps") or b""
    found = []
    for line in data.split(b"\n"):
        words = os.fsdecode(line).split(None, 5)
        if len(words) < 5:
            continue
        start, _, end = words[0].partition("-")
        path = words[5] if len(words) == 6 else ""
        found.append(Mapping(int(start, 16), int(end, 16), words[1], int(words[2], 16), words[3], int(words[4]), path))
    return found


def signals_of(mask: str) -> frozenset[int]:
    """The signal numbers in a hexadecimal set as status writes it: bit 0 is signal 1."""
    bits = int(mask, 16)
    return frozenset(number + 1 for number in range(bits.bit_length()) if bits >> number & 1)


def signal_sets(tid: int) -> SignalSets | None:
    """The signal sets of a thread and of its process; None if gone."""
    fields = status_fields(tid)
    if not fields:
        return None
    return SignalSets(*(signals_of(fields[name]) for name in ("SigPnd", "ShdPnd", "SigBlk", "SigIgn", "SigCgt")))


def _sleeps(tid: int) -> int | None:
    """How often a thread whose state is S went to sleep; None for any other state.

    One file and no splitting, since a crowd is looked at this way: the fields are found by their names in proc_pid_status(5).
    """
    data = read_file(f"{task_dir(tid)}/status") or b""
    _, found, rest = data.partition(b"\nvoluntary_ctxt_switches:\t")
    return int(rest[: rest.index(b"\n")]) if found and b"\nState:\tS" in data else None


def asleep_in_wait(tid: int) -> WaitSleep | None:
    """Say whether a thread is asleep in a wait call now; None if it is not, or cannot be seen to be.

    A thread is when its state is S and it sleeps in `do_wait` (kernel/exit.c), or, as wchan reads 0 for an instant on the way in,
    when the system call in which it is blocked is wait4 or waitid.  The facts are separate files; a sighting counts only if the
    thread did not go to sleep anew between the first and the last of them.
    """
    before = _sleeps(tid)
    if before is None:
        return None
    where = wchan(tid)
    if where not in ("do_wait", "0"):
        return None
    call = current_syscall(tid)
    if call == "running":
        return None
    number = call.number if call is not None else -1
    name = _WAIT_CALLS.get(number)
    if where == "0" and name is None:
        return None
    # The state comes last, so that a thread which has just been woken is not taken for a sleeper.
    if _sleeps(tid) != before:
        return None
    shown = f"system call {number} ({name})" if name else "system call not shown"
    return WaitSleep(
        name="wait4" if name == "wait4" else "waitid" if name == "waitid" else "wait",
        args=call.args if call is not None and name else (),
        wchan=where,
        voluntary_switches=before,
        evidence=f"state S, wchan {where}, {shown}",
    )
