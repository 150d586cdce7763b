"""`tracedbg doctor`: what this machine allows, each thing with its reason and what to do about it.

Main thread of a process that holds no tracer.  It reads, and starts one child that asks PTRACE_TRACEME, since a seccomp filter can
only be tried; nothing is changed, mounted or installed.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import platform
import shutil
import textwrap
import threading
import time
from collections.abc import Iterator
from typing import TextIO

import msgspec

from tracedbg import __version__
from tracedbg.kernel import credentials, needs, procfs
from tracedbg.kernel.credentials import OurRights
from tracedbg.kernel.needs import Need
from tracedbg.kernel.reap import Reaper
from tracedbg.model.text import visible

from .capabilities import Capabilities

_NARROW, _USUAL = 40, 80
_LOOK_S = 2.0
"""How long a thread of ours may take to fall asleep before it is looked at."""
_CAPABILITIES = {19: "CAP_SYS_PTRACE", 21: "CAP_SYS_ADMIN", 38: "CAP_PERFMON", 34: "CAP_SYSLOG"}
"""capabilities(7): those that matter to a debugger."""
_LIBRARIES = {
    "drgn": ("source lines, variables and types", "pip install drgn (x86-64 with glibc only)"),
    "capstone": ("disassembly", "pip install capstone"),
    "elftools": ("symbols of programs", "pip install pyelftools"),
}
_PACKAGES = {"elftools": "pyelftools"}
_COLORS = {True: "\x1b[32m", False: "\x1b[31m", None: "\x1b[2m"}
_WORDS = {True: "yes", False: "no", None: "-"}


class Finding(msgspec.Struct, frozen=True):
    """One thing that was looked at.

    Args:
        group: the heading under which it stands.
        name: as `needs` of a walkthrough writes it, where it is such a need.
        ok: there or not; None for what is neither good nor bad.
        reason: what was found.
        remedy: what to do about it, empty for nothing.
    """

    group: str
    name: str
    ok: bool | None
    reason: str
    remedy: str = ""


class Examination(msgspec.Struct, frozen=True):
    """Everything that was found, and on what."""

    tracedbg: str
    kernel: str
    machine: str
    python: str
    findings: tuple[Finding, ...]


def examine() -> Examination:
    """Look at everything.  The calling thread's process must have no tracer thread."""
    with Reaper() as reaper:
        findings = (*_needs(Capabilities(reaper)), *_rights(credentials.our_rights()), *_views(), *_libraries(), _terminal())
    return Examination(__version__, platform.release(), platform.machine(), platform.python_version(), findings)


# --- what walkthroughs may need -----------------------------------------------------------------------------------------------
def _needs(capabilities: Capabilities) -> Iterator[Finding]:
    group = "What lessons may need"
    version = needs.kernel_version()
    scope = credentials.yama_scope() or 0
    names = ("ptrace", "seize", f"yama<={scope}", "cc", "root", "tracefs", "tty", "smp", "kthread", "landlock", "setuid")
    for name in (*names, "corefile", "kallsyms", f"arch={platform.machine()}", f"kernel>={version[0]}.{version[1]}"):
        need = capabilities.need(name)
        yield Finding(group, name, need.ok, str(visible(need.reason)), need.remedy)


# --- who we are ---------------------------------------------------------------------------------------------------------------
def _rights(rights: OurRights) -> Iterator[Finding]:
    group = "Rights of this process"
    held = [name for bit, name in _CAPABILITIES.items() if rights.cap_effective >> bit & 1]
    space = "" if rights.initial_user_ns else ", counting in this user namespace only"
    yield Finding(group, "user", None, f"uid {rights.uids[1]}; {', '.join(held) or 'none of the capabilities that matter here'}{space}")
    attach: Need = needs.attach_allowed()
    yield Finding(
        group, "attach", attach.ok, "running processes of the same user may be attached to" if attach.ok else attach.reason, attach.remedy
    )
    filters = {
        0: "no seccomp filter",
        1: "seccomp's strict mode",
        2: "a seccomp filter is in force; whether it refuses ptrace was tried above",
    }
    yield Finding(group, "seccomp", rights.seccomp == 0 or None, filters.get(rights.seccomp, f"seccomp mode {rights.seccomp}"))
    profile = str(rights.profile)
    if rights.selinux_denies:
        yield Finding(group, "security module", False, "SELinux's switch deny_ptrace is on", "as root: setsebool deny_ptrace off")
    else:
        bound = bool(profile) and profile != "unconfined"
        text = f"this process runs under {profile}, which may refuse ptrace" if bound else "no profile binds this process"
        yield Finding(group, "security module", None if bound else True, text)


# --- what /proc shows ---------------------------------------------------------------------------------------------------------
def _views() -> Iterator[Finding]:
    """Of a thread of ours that sleeps in a read: the three views by which a sleeper in wait4 is recognised."""
    group = "What /proc shows of a thread"
    reading, writing = os.pipe2(os.O_CLOEXEC)
    sleeper = threading.Thread(target=os.read, args=(reading, 1), name="sleeper")
    sleeper.start()
    try:
        tid = sleeper.native_id or 0
        _until_asleep(tid)
        wchan, call = procfs.wchan(tid), procfs.current_syscall(tid)
        children = procfs.children(os.getpid(), os.getpid())
    finally:
        os.close(writing)  # its end of file
        sleeper.join()
        os.close(reading)
    seen = wchan not in ("", "0")
    yield Finding(
        group, "wchan", seen, f"the kernel function that a thread sleeps in, here {wchan}" if seen else "wait channels are hidden",
        "" if seen else "a kernel with CONFIG_KALLSYMS, outside a container",
    )  # fmt: skip
    shown = call is not None
    yield Finding(
        group, "syscall", shown, "the system call that a thread is in, with its arguments" if shown else "system calls are hidden",
        "" if shown else "a kernel with CONFIG_HAVE_ARCH_TRACEHOOK, outside a container",
    )  # fmt: skip
    listed = children is not None
    yield Finding(
        group, "children", listed, "the children of each thread" if listed else "the kernel does not list children",
        "" if listed else "a kernel with CONFIG_PROC_CHILDREN",
    )  # fmt: skip


def _until_asleep(tid: int) -> None:
    never, deadline = threading.Event(), time.monotonic() + _LOOK_S
    while procfs.state(tid) != "S" or procfs.wchan(tid) == "0":
        # A kernel that hides wait channels shows 0 for ever.
        if time.monotonic() > deadline or never.wait(0.001):
            return


# --- libraries, terminal ------------------------------------------------------------------------------------------------------
def _libraries() -> Iterator[Finding]:
    for name, (purpose, remedy) in _LIBRARIES.items():
        package = _PACKAGES.get(name, name)
        there = importlib.util.find_spec(name) is not None
        version = importlib.metadata.version(package) if there else ""
        reason = f"{package} {version}: {purpose}" if there else f"no {package}, so no {purpose}"
        yield Finding("Debugging by source", name, there, reason, "" if there else remedy)


def _terminal() -> Finding:
    term = os.environ.get("TERM", "")
    if not os.isatty(1):
        return Finding("Terminal", "terminal", None, "output goes to no terminal: plain text, no colours")
    size = shutil.get_terminal_size((_USUAL, 24))
    colours = "no colours (NO_COLOR)" if os.environ.get("NO_COLOR") else "no colours" if term in ("", "dumb") else "colours"
    ok = term not in ("", "dumb")
    remedy = "" if ok else "set TERM to your terminal's name, for example xterm-256color"
    return Finding("Terminal", "terminal", ok, f"{visible(term) or 'TERM is not set'}, {size.columns}x{size.lines}, {colours}", remedy)


# --- telling ------------------------------------------------------------------------------------------------------------------
def tell(found: Examination, width: int, *, colour: bool) -> list[str]:
    """The lines for a terminal.

    Args:
        found: what was looked at.
        width: columns.
        colour: mark yes and no by colour, too.
    """
    width = max(_NARROW, width)
    head = f"tracedbg {found.tracedbg} on Linux {visible(found.kernel)} {found.machine}, Python {found.python}"
    out = textwrap.wrap(head, width)
    wide = min(max(len(finding.name) for finding in found.findings), 16)
    group = ""
    for finding in found.findings:
        if finding.group != group:
            group = finding.group
            out += ["", group]
        out += _lines(finding, width, wide, colour=colour)
    absent = [finding.name for finding in found.findings if finding.ok is False]
    last = f"Not here: {', '.join(absent)}. Whatever needs one of these says so and is skipped." if absent else "All of it is here."
    return [*out, "", *textwrap.wrap(last, width)]


def _lines(finding: Finding, width: int, wide: int, *, colour: bool) -> list[str]:
    word = f"{_WORDS[finding.ok]:<3}"
    if colour:
        word = f"{_COLORS[finding.ok]}{word}\x1b[0m"
    indent = wide + 8
    text = textwrap.wrap(finding.reason, width - indent, break_long_words=True) or [""]
    lines = [f"  {word} {finding.name:<{wide}}  {text[0]}", *(" " * indent + more for more in text[1:])]
    if finding.remedy:
        # Not broken within a word: a remedy is there to be copied.
        remedy = textwrap.wrap(finding.remedy, width - indent - 3, break_long_words=False, break_on_hyphens=False)
        lines += [" " * indent + ("-> " if not place else "   ") + line for place, line in enumerate(remedy)]
    return lines


def run(out: TextIO, *, as_json: bool) -> int:
    """Look, and tell; the exit status, which is always 0: what is missing here is no failure of the looking."""
    found = examine()
    if as_json:
        out.write(msgspec.json.format(msgspec.json.encode(found), indent=2).decode("utf-8") + "\n")
        return 0
    terminal = out.isatty()
    colour = terminal and not os.environ.get("NO_COLOR") and os.environ.get("TERM", "") not in ("", "dumb")
    width = shutil.get_terminal_size((_USUAL, 24)).columns if terminal else _USUAL
    out.write("\n".join(tell(found, width, colour=colour)) + "\n")
    return 0
