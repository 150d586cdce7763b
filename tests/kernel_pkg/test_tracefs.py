"""The kernel's own trace, piece by piece: pages of the ring buffer, formats, filters, names, instances of the dead."""

from __future__ import annotations

import os
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracedbg.kernel import needs, procfs, tracefs, tracing_filter
from tracedbg.kernel.tracing_ring import kind_of, read_format, read_page
from tracedbg.kernel.tracing_symbols import KernelSymbols
from tracedbg.kernel.tracing_words import POINTS, STACK, Teller
from tracedbg.model.events import KernelSignal, KernelStack, KernelTold, KernelWoke
from tracedbg.model.ids import Source
from tracedbg.render.lines import line_of

_COMMON = """
	field:unsigned short common_type;	offset:0;	size:2;	signed:0;
	field:unsigned char common_flags;	offset:2;	size:1;	signed:0;
	field:unsigned char common_preempt_count;	offset:3;	size:1;	signed:0;
	field:int common_pid;	offset:4;	size:4;	signed:1;
"""
WAKING = f"""name: sched_waking
ID: 375
format:{_COMMON}
	field:char comm[16];	offset:8;	size:16;	signed:0;
	field:pid_t pid;	offset:24;	size:4;	signed:1;
	field:int prio;	offset:28;	size:4;	signed:1;
	field:int target_cpu;	offset:32;	size:4;	signed:1;

print fmt: "comm=%s pid=%d prio=%d target_cpu=%03d", REC->comm, REC->pid, REC->prio, REC->target_cpu
"""
EXEC = f"""name: sched_process_exec
ID: 365
format:{_COMMON}
	field:__data_loc char[] filename;	offset:8;	size:4;	signed:0;
	field:pid_t pid;	offset:12;	size:4;	signed:1;
	field:pid_t old_pid;	offset:16;	size:4;	signed:1;
"""
LEAVE = f"""name: sys_exit_ptrace
ID: 340
format:{_COMMON}
	field:int __syscall_nr;	offset:8;	size:4;	signed:1;
	field:long ret;	offset:16;	size:8;	signed:1;
"""
SIGNAL = f"""name: signal_generate
ID: 176
format:{_COMMON}
	field:int sig;	offset:8;	size:4;	signed:1;
	field:int errno;	offset:12;	size:4;	signed:1;
	field:int code;	offset:16;	size:4;	signed:1;
	field:char comm[16];	offset:20;	size:16;	signed:0;
	field:pid_t pid;	offset:36;	size:4;	signed:1;
	field:int group;	offset:40;	size:4;	signed:1;
	field:int result;	offset:44;	size:4;	signed:1;
"""
STACKS = f"""name: kernel_stack
ID: 4
format:{_COMMON}
	field:int size;	offset:8;	size:4;	signed:1;
	field:unsigned long caller[8];	offset:16;	size:64;	signed:0;
"""


# --- pages --------------------------------------------------------------------------------------------------------------------
def page(events: list[tuple[int, bytes]], base: int = 1000, missed: int | None = None) -> bytes:
    """A page as the kernel writes it (little endian): events are (time, data of whole words)."""
    body, now = b"", base
    for moment, data in events:
        delta, now = moment - now, moment
        if delta >= 1 << 27:
            body += struct.pack("<II", 30 | (delta & (1 << 27) - 1) << 5, delta >> 27)
            delta = 0
        words = len(data) // 4
        body += struct.pack("<I", words | delta << 5) if 1 <= words <= 28 else struct.pack("<II", delta << 5, len(data) + 4)
        body += data
    commit = len(body)
    if missed is not None:
        commit |= 1 << 31
        if missed:
            commit |= 1 << 30
            body += struct.pack("<Q", missed)
    return (struct.pack("<QQ", base, commit) + body).ljust(4096, b"\0")


_DATA = st.integers(1, 40).flatmap(lambda words: st.binary(min_size=4 * words, max_size=4 * words))


@given(st.lists(st.tuples(st.integers(0, 1 << 40), _DATA), max_size=20), st.one_of(st.none(), st.integers(0, 9)))
def test_what_the_kernel_writes_is_read_back(steps, missed):
    now, events = 1000, []
    for step, data in steps:
        now += step
        events.append((now, data))
    found = read_page(page(events, missed=missed))
    assert found.events == events
    assert (found.missed, found.lost) == (missed is not None, missed or 0)


@given(st.binary(max_size=200), st.integers(0, (1 << 64) - 1))
def test_no_page_makes_the_reader_fail(junk, commit):
    found = read_page(struct.pack("<QQ", 5, commit) + junk)
    assert sum(len(data) for _, data in found.events) <= len(junk)
    read_page(junk)


def test_an_event_that_a_filter_took_back_is_stepped_over():
    kept = b"kept"
    gone = struct.pack("<II", 29 | 7 << 5, 8) + b"...."  # array[0] counts itself
    body = struct.pack("<I", 1 | 10 << 5) + kept + gone + struct.pack("<I", 1 | 10 << 5) + kept
    found = read_page(struct.pack("<QQ", 100, len(body)) + body)
    assert found.events == [(110, kept), (120, kept)]


def test_an_absolute_time_keeps_the_upper_bits_of_the_page():
    base = (3 << 59) + 17
    stamp = 123456789
    body = struct.pack("<II", 31 | (stamp & (1 << 27) - 1) << 5, stamp >> 27) + struct.pack("<I", 1 | 1 << 5) + b"data"
    found = read_page(struct.pack("<QQ", base, len(body)) + body)
    assert found.events == [((3 << 59) + stamp + 1, b"data")]


# --- formats and words --------------------------------------------------------------------------------------------------------
def teller(names: dict[int, str] | None = None) -> Teller:
    formats = {each.ident: each for each in map(read_format, (WAKING, EXEC, LEAVE, SIGNAL, STACKS))}
    symbols = KernelSymbols(b"ffffffff81000000 T ptrace_stop\nffffffff81000100 t try_to_wake_up\nffffffff81000200 T __traceiter_x\n")
    known = {name: tid for tid, name in (names or {}).items()}
    made = Teller(formats, lambda: tuple(known), known.get, symbols)
    made.refresh()
    return made


def waking(by: int, woken: int, flags: int = 1, comm: bytes = b"python") -> bytes:
    return struct.pack("<HBBi16siii", 375, flags, 0, by, comm, woken, 120, 1)


def told(event) -> str:
    from tracedbg.model.events import Record

    return str(line_of(Record(1, 0, "kernel", 0, Source.TRACEFS, event)))


_STRANGER = 1 << 22  # above the largest pid: no thread of this process
"""pid_max is at most that (proc_sys_kernel(5))."""


def test_a_format_tells_where_the_fields_are():
    form = read_format(WAKING)
    data = waking(4242, 77)
    assert (form.name, form.ident, kind_of(data)) == ("sched_waking", 375, 375)
    assert (form.number(data, "common_pid"), form.number(data, "pid"), form.text(data, "comm")) == (4242, 77, b"python")
    assert form.number(data, "of_a_later_kernel") == 0
    assert form.text(data, "of_a_later_kernel") == b""


def test_a_wake_up_of_a_lane_by_a_stranger_is_told():
    event = teller({77: "w1"}).tell(waking(_STRANGER, 77))
    assert isinstance(event, KernelWoke)
    assert told(event) == f"woke w1 in {_STRANGER}"


@pytest.mark.parametrize("flags", [0x08, 0x10, 0x19])
def test_a_wake_up_by_an_interrupt_is_nobodys(flags):
    assert teller({77: "w1"}).tell(waking(_STRANGER, 77, flags)) is None


def test_a_wake_up_of_a_task_that_is_not_followed_is_left_out():
    assert teller().tell(waking(_STRANGER, 15)) is None


def test_threads_of_ours_that_wake_each_other_are_noise():
    found = teller({os.getpid(): "repl"})
    assert found.tell(waking(os.getpid(), os.getpid())) is None
    assert found.noise


def test_a_name_that_looks_like_a_line_of_the_trace_stays_a_name():
    path = b"/tmp/x\n a-1 [000] d..4. 1.0: sched_waking: comm=w1 pid=77"
    data = struct.pack("<HBBiIii", 365, 0, 0, _STRANGER, (len(path) + 1) << 16 | 20, _STRANGER, _STRANGER) + path + b"\0"
    event = teller({77: "w1"}).tell(data)
    assert isinstance(event, KernelTold)
    assert event.point == "sched_process_exec"
    assert "\n" not in told(event)
    assert told(event).startswith(f'exec {_STRANGER} "/tmp/x\\n a-1 ')


def test_a_refused_request_shows_the_kernels_own_value():
    event = teller({77: "w1"}).tell(struct.pack("<HBBiixxxxq", 340, 0, 0, 77, 101, -3))
    assert told(event) == "return w1 ptrace = -3 ESRCH"
    event = teller({77: "w1"}).tell(struct.pack("<HBBiixxxxq", 340, 0, 0, 77, 101, -512))
    assert told(event) == "return w1 ptrace = -512 ERESTARTSYS"


def test_a_signal_says_what_became_of_it():
    data = struct.pack("<HBBiiii16siii", 176, 0, 0, _STRANGER, 17, 0, 4, b"python", 77, 1, 1)
    event = teller({77: "tracer"}).tell(data)
    assert isinstance(event, KernelSignal)
    assert told(event) == f"signal SIGCHLD to 77 ignored in {_STRANGER} code CLD_TRAPPED process named tracer"


def test_a_stack_is_told_outermost_first_without_the_tracing_itself():
    addresses = (0xFFFFFFFF81000210, 0xFFFFFFFF81000104, 0xFFFFFFFF81000010)
    data = struct.pack("<HBBiixxxx3Q", 4, 0, 0, 5, 3, *addresses)
    event = teller().tell(data)
    assert event == KernelStack(("ptrace_stop", "try_to_wake_up"))


def test_an_event_of_an_unknown_kind_is_left_out():
    assert teller().tell(struct.pack("<HBBi", 9999, 0, 0, 1)) is None


def test_hidden_addresses_are_no_names():
    hidden = KernelSymbols(b"0000000000000000 T ptrace_stop\n0000000000000000 t x\t[mod]\n")
    assert len(hidden) == 0
    assert hidden.name(0xFFFFFFFF81000010) == "0xffffffff81000010"


@given(st.lists(st.integers(0xFFFF888000000000, 0xFFFFFFFFFFFFFFFF), unique=True, min_size=1), st.data())
def test_an_address_belongs_to_the_function_before_it(starts, data):
    lines = b"".join(b"%016x t f%d\t[mod]\n%016x d data\n" % (start, start, start) for start in starts)
    address = data.draw(st.integers(min(starts), 0xFFFFFFFFFFFFFFFF))
    assert KernelSymbols(lines).name(address) == f"f{max(start for start in starts if start <= address)}"


# --- filters ------------------------------------------------------------------------------------------------------------------
def holds(text: str, **fields: int) -> bool:
    """The kernel's filter language is C's; so is, in these words, Python's."""
    return bool(eval(text.replace("!(", "not (").replace("&&", " and ").replace("||", " or "), {}, fields))


_TIDS = st.sets(st.integers(1, 60), max_size=20)


@given(_TIDS, st.integers(1, 60), st.integers(1, 60), st.integers(0, 31))
def test_wake_ups_among_ours_and_by_interrupts_are_not_recorded(ours, by, woken, flags):
    kept = holds(tracing_filter.waking(ours), common_flags=flags, common_pid=by, pid=woken)
    assert kept == (not flags & 24 and not (by in ours and woken in ours))


@given(_TIDS, st.integers(1, 60), st.sampled_from([0, 1, 2, 8, 0x20, 0x100]))
def test_only_a_task_that_is_not_ours_and_wants_to_sleep_is_recorded(ours, left, state):
    assert holds(tracing_filter.switching(ours), prev_pid=left, prev_state=state) == (left not in ours and state not in (0, 0x100))


def test_a_filter_never_outgrows_what_the_kernel_takes():
    many = range(1, 20_000, 3)
    for text in (tracing_filter.waking(many), tracing_filter.switching(many)):
        assert len(text) <= tracing_filter.LIMIT
    one_run = tracing_filter.waking(range(1000, 3000))
    assert "common_pid < 1000 || common_pid > 2999" in one_run


# --- instances ----------------------------------------------------------------------------------------------------------------
def test_only_the_dead_are_swept():
    mine = tracefs.instance_name(os.getpid())
    begun = procfs.start_time(os.getpid())
    assert mine == f"tracedbg-{os.getpid()}-{begun}"
    gone = f"tracedbg-{_STRANGER}-5"
    reused = f"tracedbg-{os.getpid()}-{(begun or 0) + 1}-3"
    assert tracefs.stale([mine, f"{mine}-1", gone, reused, "tracedbg-x-5", "trace-cmd", "tracedbg-5"]) == [gone, reused]


def test_what_is_missing_is_said_with_its_remedy(monkeypatch):
    monkeypatch.setattr(tracefs, "root", lambda: "")
    need = needs.tracefs_allowed()
    assert not need.ok
    assert "not mounted" in need.reason
    assert need.remedy.startswith("sudo mount -t tracefs tracefs /sys/kernel/tracing")


def test_an_ordinary_user_is_told_to_be_root(monkeypatch):
    monkeypatch.setattr(tracefs, "root", lambda: "/sys/kernel/tracing")
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    need = needs.tracefs_allowed()
    assert not need.ok
    assert "for root" in need.reason
    assert need.remedy == "run tracedbg as root"


def test_a_pid_namespace_is_named(monkeypatch):
    monkeypatch.setattr(tracefs, "root", lambda: "/sys/kernel/tracing")
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(os, "access", lambda *_args, **_kw: True)
    monkeypatch.setattr(tracefs, "numbers_are_ours", lambda: False)
    need = needs.tracefs_allowed()
    assert not need.ok
    assert "pid namespace" in need.reason


# What the words are made of, by tracepoint: a kernel that names a field otherwise must be noticed here, not by an empty word.
_FIELDS = {
    "sched_waking": {"pid", "target_cpu", "common_flags"},
    "sched_switch": {"prev_pid", "prev_state"},
    "sched_process_fork": {"parent_pid", "child_pid"},
    "sched_process_exec": {"pid", "old_pid", "filename"},
    "sched_process_free": {"pid"},
    "sched_process_wait": {"pid"},
    "signal_generate": {"sig", "code", "pid", "group", "result"},
    "signal_deliver": {"sig", "sa_handler"},
    "sys_enter_ptrace": {"request", "pid", "addr", "data"},
    "sys_enter_wait4": {"upid", "options"},
    "sys_enter_waitid": {"which", "upid", "options"},
    "sys_exit_ptrace": {"ret"},
    "sys_exit_wait4": {"ret"},
    "sys_exit_waitid": {"ret"},
    "kernel_stack": {"size", "caller"},
}


@pytest.mark.needs("tracefs")
def test_this_kernel_has_the_fields_that_the_words_are_made_of():
    for point in (*POINTS, STACK):
        path = f"{tracefs.root()}/events/{point}/format"
        form = read_format((procfs.read_file(path) or b"").decode())
        assert form.name == point.rpartition("/")[2]
        assert form.ident > 0
        assert {"common_type", "common_pid", *_FIELDS.get(form.name, ())} <= set(form.fields), form
        assert form.fields["common_type"].offset == 0


@pytest.mark.needs("tracefs")
def test_an_instance_of_a_dead_process_is_removed_and_a_living_ones_is_not():
    where = tracefs.root()
    dead = tracefs.Instance(where, f"tracedbg-{_STRANGER}-5")
    mine = tracefs.Instance.make(where, os.getpid())
    try:
        assert dead.name in tracefs.sweep(where)
        assert not os.path.exists(dead.path)
        assert os.path.exists(mine.path)
        second = tracefs.Instance.make(where, os.getpid())
        assert second.name == f"{mine.name}-1"
        second.remove()
    finally:
        mine.remove()
