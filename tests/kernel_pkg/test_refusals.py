"""Each refusal is made by the kernel itself; what is tested is that the right cause is named."""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
import threading
from dataclasses import replace

import pytest

from tests.kernel_pkg.actors import act, become_nobody, gone_pid, no_yama, target, until
from tracedbg.kernel import attachable, credentials, needs, procfs, refusals
from tracedbg.model.errors import KernelRefused, NotPermitted
from tracedbg.model.ids import Tid

SECCOMP = """
class Filter(ctypes.Structure): _fields_ = [("len", ctypes.c_ushort), ("at", ctypes.c_void_p)]
def forbid_ptrace():
    # load the system call's number; if it is ptrace's answer EPERM, otherwise allow
    rules = b"".join(struct.pack("HBBI", *rule) for rule in [
        (0x20, 0, 0, 0), (0x15, 0, 1, raw.SYS_PTRACE), (0x06, 0, 0, 0x00050000 | errno.EPERM), (0x06, 0, 0, 0x7FFF0000)])
    held = ctypes.create_string_buffer(rules, len(rules))
    assert libc.prctl(38, 1, 0, 0, 0) == 0
    assert libc.prctl(22, 2, ctypes.byref(Filter(4, ctypes.addressof(held)))) == 0
forbid_ptrace()
"""

ASK = """
before = attachable.why_not_attach(TID)
tell({**ptrace("PTRACE_SEIZE", TID), "before": before})
"""


def attach(tid: int, prepare: str = "", **options: object) -> dict[str, object]:
    """What an actor of its own is told when it seizes `tid`."""
    answer = act(f"TID = {tid}\n{prepare}{ASK}", **options)  # type: ignore[arg-type]
    assert isinstance(answer, dict)
    return answer


def refused(answer: dict[str, object], *words: str, foreseen: bool = True) -> None:
    """The kernel said EPERM, and the error names the cause that could be seen before."""
    assert answer["errno"] == 1
    assert answer["kind"] == "NotPermitted"
    for word in words:
        assert word in str(answer["what"])
    assert answer["todo"]
    assert str(answer["call"]).startswith("ptrace(PTRACE_SEIZE, ")
    if foreseen:
        assert f"{str(answer['what']).partition(': ')[2]}; {answer['todo']}" == answer["before"]
    else:
        assert answer["before"] == ""


def test_nothing_forbids_an_ordinary_target() -> None:
    no_yama()
    with target(become_nobody()) as process:
        assert attach(process.pid, become_nobody()) == {"errno": 0, "before": ""}


def test_kernel_thread() -> None:
    if not (procfs.task_flags(2) or 0) & 0x200000:
        pytest.skip("process 2 is no kernel thread in this pid namespace")
    refused(attach(2), "cannot attach to 2", "kernel thread")


def test_tracedbg_itself_and_its_own_threads() -> None:
    refused(act(f"TID = os.getpid()\n{ASK}"), "tracedbg itself")
    code = "done = threading.Event()\nt = threading.Thread(target=done.wait)\nt.start()\nTID = t.native_id\n"
    refused(act(f"{code}{ASK}done.set()"), "a thread of tracedbg itself")


def test_another_user() -> None:
    # Process 1 is root's on every machine; with root in hand, a target that runs as root is another user's for `nobody`.
    with target() as process:
        tid = process.pid if os.geteuid() == 0 else 1
        refused(attach(tid, become_nobody()), f"{tid} (", "runs as user 0 and tracedbg as user", "without CAP_SYS_PTRACE")


@pytest.mark.needs("root")
def test_another_group() -> None:
    with target("os.setgroups([]); os.setresgid(65533, 65533, 65533); os.setresuid(65534, 65534, 65534)") as process:
        refused(attach(process.pid, become_nobody()), "runs as group 65533 and tracedbg as group 65534")


def test_undumpable() -> None:
    with target(f"{become_nobody()}assert libc.prctl(4, 0, 0, 0, 0) == 0") as process:
        refused(attach(process.pid, become_nobody()), "not dumpable")


@pytest.mark.needs("root", "setpriv")
def test_more_capabilities_than_we_have() -> None:
    weaker = ("setpriv", "--bounding-set", "-sys_ptrace", "--inh-caps", "-sys_ptrace")
    with target() as process:
        refused(attach(process.pid, wrapper=weaker), "holds capabilities that tracedbg does not have")


def test_zombie() -> None:
    if os.geteuid():
        no_yama()
    child = subprocess.Popen(["/bin/true"])
    until(lambda: procfs.state(child.pid) == "Z")
    refused(attach(child.pid), "(true) has ended already", f"its parent {os.getpid()} (")
    child.wait()


@pytest.mark.needs("ptrace")
def test_already_traced_and_by_whom() -> None:
    if os.geteuid():
        no_yama()
    with target() as process:
        tracer = f"libc.prctl(15, b'other (tracer', 0, 0, 0)\nassert libc.ptrace(0x4206, {process.pid}, 0, 0) == 0"
        with target(tracer) as other:
            assert procfs.tracer_pid(process.pid) == other.pid
            refused(attach(process.pid), f"already traced by {other.pid} (other (tracer)")


def test_seccomp_filter_on_ourselves() -> None:
    with target(become_nobody()) as process:
        answer = attach(process.pid, become_nobody() + SECCOMP)
        if not credentials.yama_scope():
            refused(answer, "seccomp filter", foreseen=False)
    need = act(f"{SECCOMP}tell(needs.ptrace_allowed())")
    assert need[0] is True
    assert "seccomp" in need[1]
    assert "seccomp" in need[2]


def test_landlock_cannot_be_seen_and_is_suggested() -> None:
    no_yama()
    enter = """
import platform
rule = struct.pack("Q", 1)       # handled_access_fs: execute
held = ctypes.create_string_buffer(rule, 8)
fd = libc.syscall(444, held, ctypes.c_size_t(8), 0)
if fd < 0: tell({"errno": -1}); sys.exit()
assert libc.prctl(38, 1, 0, 0, 0) == 0
assert libc.syscall(446, fd, 0) == 0
"""
    with target(become_nobody()) as process:
        answer = attach(process.pid, become_nobody() + enter)
        if answer["errno"] == -1:
            pytest.skip("this kernel has no Landlock, or it is switched off")
        refused(answer, "security module", foreseen=False)


def test_no_such_process() -> None:
    pid = gone_pid()
    answer = attach(pid)
    assert (answer["errno"], answer["kind"]) == (3, "KernelRefused")
    assert answer["what"] == f"cannot attach to {pid}: there is no process {pid}"
    assert answer["before"] == f"there is no process {pid}"


TRACEME = """
read, write = os.pipe()
pid = os.fork()
if pid == 0:
    os.write(write, bytes([raw.child_traceme()]))
    os._exit(0)
code = os.read(read, 1)[0]
os.waitpid(pid, 0)
error = refusals.explain_exec("traceme", code, "/bin/true", child=pid) if code else None
tell([code, type(error).__name__, str(error), needs.ptrace_allowed()])
"""


def test_traceme_under_a_tracer_that_follows_forks() -> None:
    if shutil.which("strace") is None:
        pytest.skip("no strace, which is the tracer that follows forks here")
    code, kind, text, need = act(TRACEME, wrapper=("strace", "-f", "-qq", "-e", "trace=none", "-o", "/dev/null"))
    assert (code, kind) == (1, "NotPermitted")
    assert "(strace) traces tracedbg, follows its forks" in text
    assert "without -f" in text
    assert need[0] is True
    assert "(strace)" in need[1]


def test_traceme_under_a_seccomp_filter() -> None:
    code, kind, text, _ = act(SECCOMP + TRACEME)
    assert (code, kind) == (1, "NotPermitted")
    assert text.startswith("the program cannot be traced: a seccomp filter")


@pytest.mark.needs("ptrace")
def test_no_such_process_has_four_meanings() -> None:
    code = """
pid = os.fork()
if pid == 0:
    raw.child_traceme()
    os.kill(os.getpid(), signal.SIGSTOP)
    while True: signal.pause()
free = os.fork()
if free == 0:
    while True: signal.pause()
assert os.waitpid(pid, 0)[0] == pid
told = {}
def other(): told["thread"] = ptrace("PTRACE_CONT", pid) | {"me": threading.get_native_id()}
t = threading.Thread(target=other)
t.start()
t.join()
told["free"] = ptrace("PTRACE_CONT", free)
told["interrupt"] = ptrace("PTRACE_INTERRUPT", pid)
told["options"] = ptrace("PTRACE_SETOPTIONS", pid, 0, 1 << 30)
told["memory"] = ptrace("PTRACE_PEEKDATA", pid, 8, 0)
told["signal"] = ptrace("PTRACE_CONT", pid, 0, 999)
told["pids"] = [os.getpid(), pid, free]
assert ptrace("PTRACE_CONT", pid) == {"errno": 0}
while procfs.state(pid) != "S": os.sched_yield()
told["running"] = ptrace("PTRACE_CONT", pid)
for each in pid, free:
    os.kill(each, 9)
    os.waitpid(each, 0)
told["gone"] = ptrace("PTRACE_CONT", pid)
tell(told)
"""
    told = act(code)
    me, pid, free = told["pids"]
    assert (told["thread"]["errno"], told["thread"]["kind"]) == (3, "KernelRefused")
    assert f"the tracer of {pid} (" in told["thread"]["what"]
    assert f"is thread {me} (" in told["thread"]["what"]
    assert f"and thread {told['thread']['me']} (" in told["thread"]["what"]
    assert told["free"]["errno"] == 3
    assert f"{free} (" in told["free"]["what"]
    assert "not traced by anyone" in told["free"]["what"]
    assert told["running"]["errno"] == 3
    assert "not stopped (state S)" in told["running"]["what"]
    assert (told["gone"]["errno"], told["gone"]["kind"]) == (3, "TraceeGone")
    assert told["interrupt"]["errno"] == 5
    assert "PTRACE_SEIZE" in told["interrupt"]["what"]
    assert told["options"]["errno"] == 22
    assert "option bit" in told["options"]["what"]
    assert told["signal"]["errno"] == 5
    assert "not a signal number" in told["signal"]["what"]
    assert (told["memory"]["errno"], told["memory"]["kind"]) == (5, "MemoryRefused")
    assert told["memory"]["what"] == "cannot read memory at 0x8: nothing is mapped there"


@pytest.mark.needs("ptrace")
def test_a_tracee_killed_a_moment_ago_is_gone_and_not_running() -> None:
    """SIGKILL wakes a stopped tracee: for some microseconds it runs, and the request that finds it so must not say "running"."""
    code = """
kinds = []
for _ in range(150):
    pid = os.fork()
    if pid == 0:
        raw.child_traceme()
        os.kill(os.getpid(), signal.SIGSTOP)
        os._exit(0)
    os.waitpid(pid, 0)
    os.kill(pid, signal.SIGKILL)
    answer = ptrace("PTRACE_GETSIGINFO", pid, 0, ctypes.addressof(ctypes.create_string_buffer(128)))
    kinds.append(answer.get("kind", "stopped"))
    os.waitpid(pid, 0)
tell(kinds)
"""
    kinds = act(code)
    assert set(kinds) <= {"TraceeGone", "stopped"}
    assert "TraceeGone" in kinds


def test_unmapped_and_unwritable_memory_is_told_apart() -> None:
    tid = threading.get_native_id()
    (text, *_) = [line for line in procfs.maps(os.getpid()) if line.perms.startswith("r-x")]
    error = refusals.explain("ptrace", ("PTRACE_POKEDATA", tid, hex(text.start), 0), 5, tid)
    assert "cannot write memory at" in error.what
    assert "mapped r-x" in error.what
    error = refusals.explain("process_vm_readv", (), 14, tid, address=16)
    assert error.what == "cannot read memory at 0x10: nothing is mapped there"


@pytest.mark.needs("ordinary-user")
def test_signals_to_another_user() -> None:
    with pytest.raises(PermissionError) as caught:
        os.kill(1, 0)
    error = refusals.explain("kill", (1, 0), caught.value.errno or 0, 1)
    assert isinstance(error, NotPermitted)
    assert "runs as user 0 and tracedbg as user" in error.what


def test_an_errno_without_a_story_keeps_its_name() -> None:
    error = refusals.explain("tgkill", (1, 2, 3), 22, 2)
    assert type(error) is KernelRefused
    assert error.what == "tgkill on 2 was refused: Invalid argument (EINVAL)"
    assert error.call == "tgkill(1, 2, 3)"
    assert "no child" in refusals.explain("wait4", (-1, "__WALL"), 10).what


def test_what_follows_from_rights_that_this_machine_does_not_have() -> None:
    """Yama, user namespaces and labels by their documented rules: facts are given, the conclusion is tested."""
    with target() as process:
        facts = attachable.target(process.pid)
        assert facts is not None
        assert facts.descendant
        uid, gid = facts.uids[0], facts.gids[0]
        plain = replace(
            credentials.our_rights(), uids=(uid,) * 4, gids=(gid,) * 4, cap_effective=0, cap_permitted=0, yama=None, initial_user_ns=True
        )
        facts = replace(facts, cap_permitted=0, dumpable=True)
        stranger = replace(facts, descendant=False)
        assert attachable.attach_refusal(facts, plain) is None
        found = attachable.attach_refusal(stranger, replace(plain, yama=1))
        assert found is not None
        assert "ptrace_scope is 1" in found[0]
        assert "no descendant" in found[0]
        assert attachable.attach_refusal(facts, replace(plain, yama=1)) is None
        assert attachable.attach_refusal(stranger, replace(plain, yama=1, cap_effective=1 << 19)) is None
        for scope, strong in ((2, False), (3, False), (3, True)):
            rights = replace(plain, yama=scope, cap_effective=(1 << 19) * strong)
            found = attachable.attach_refusal(facts, rights)
            assert found is not None
            assert f"ptrace_scope is {scope}" in found[0]
            need = needs.refused_to_everyone(rights)
            assert need is not None
            assert not need.ok
        assert needs.refused_to_everyone(replace(plain, yama=2, cap_effective=1 << 19)) is None
        inside = replace(plain, cap_effective=1 << 19, initial_user_ns=False, uids=(uid + 1,) * 4)
        found = attachable.attach_refusal(replace(facts, user_ns_seen=False), inside)
        assert found is not None
        assert "only inside our own user namespace" in found[0]
        found = attachable.attach_refusal(replace(facts, tracer=Tid(os.getpid())), replace(plain, selinux_denies=True))
        assert found is not None
        assert "deny_ptrace" in found[0]


def test_rights_are_those_of_this_thread() -> None:
    rights = credentials.our_rights()
    assert rights.uids[:3] == os.getresuid()
    assert rights.gids[:3] == os.getresgid()
    assert rights.tracer == 0
    assert needs.kernel_version()[0] == int(os.uname().release.split(".")[0])
    assert isinstance(needs.attach_allowed(), tuple)
    dropped = act(f"{become_nobody()}r = credentials.our_rights()\ntell([r.uids[0], r.may_trace_anyone])")
    assert dropped == [65534 if os.geteuid() == 0 else os.getuid(), False]


@pytest.mark.parametrize(
    ("pattern", "with_pid", "most", "said"),
    [
        (b"core\n", b"0\n", -1, ""),
        (b"core\n", b"0\n", 32 << 20, ""),
        (b"core\n", b"0\n", 4096, "the hard limit for cores is 4096 bytes"),
        (b"core\n", b"1\n", -1, "cores go to 'core.PID'"),
        (b"/var/core.%p\n", None, -1, "cores go to '/var/core.%p'"),
        (b"|/usr/lib/dump %P\n", b"0\n", -1, "cores go to '|/usr/lib/dump %P'"),
    ],
)
def test_where_a_core_goes(monkeypatch: pytest.MonkeyPatch, pattern: bytes, with_pid: bytes | None, most: int, said: str) -> None:
    files = {"/proc/sys/kernel/core_pattern": pattern, "/proc/sys/kernel/core_uses_pid": with_pid}
    monkeypatch.setattr(procfs, "read_file", files.__getitem__)
    monkeypatch.setattr(resource, "getrlimit", lambda what: (0, most))
    found = needs.probe("corefile")
    assert (found.ok, bool(found.remedy)) == (not said, bool(said))
    assert found.reason.startswith(said or "a core becomes a file named core")
