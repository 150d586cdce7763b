"""The check for leftovers sees what it is for: each kind of leftover is made, seen, and cleared again."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import threading

import pytest

from tests import hostneeds, leftovers

pytestmark = pytest.mark.needs("proc-children")

GRACE = 0.05


def test_clean_is_clean() -> None:
    before = leftovers.belongings()
    assert leftovers.left_behind(before, GRACE) == []


def test_descriptor_is_seen() -> None:
    before = leftovers.belongings()
    fd = os.open("/dev/null", os.O_RDONLY)
    found = leftovers.left_behind(before, GRACE)
    os.close(fd)
    assert found == [f"descriptor {fd} -> /dev/null"]


def test_thread_is_seen() -> None:
    before = leftovers.belongings()
    gate = threading.Event()
    thread = threading.Thread(target=gate.wait, name="forgotten")
    thread.start()
    found = leftovers.left_behind(before, GRACE)
    gate.set()
    thread.join()
    assert found == [f"thread 'forgotten' (tid {thread.native_id})"]


def test_process_is_seen_and_ended() -> None:
    before = leftovers.belongings()
    child = subprocess.Popen([sys.executable, "-S", "-c", "import signal; signal.pause()"])
    found = leftovers.left_behind(before, GRACE)
    assert child.wait(timeout=30) == -signal.SIGKILL
    assert len(found) == 1
    assert found[0].startswith(f"process {child.pid} (")


def test_orphan_is_seen() -> None:
    """A grandchild whose parent has ended is ours, because the test run is a subreaper."""
    before = leftovers.belongings()
    code = (
        "import subprocess, sys\n"
        "command = [sys.executable, '-S', '-c', 'import signal; signal.pause()']\n"
        "print(subprocess.Popen(command, stdout=subprocess.DEVNULL).pid)"
    )
    out = subprocess.run([sys.executable, "-S", "-W", "ignore", "-c", code], stdout=subprocess.PIPE, check=True, timeout=30)
    pid = int(out.stdout)
    found = leftovers.left_behind(before, GRACE)
    assert os.waitpid(pid, 0) == (pid, signal.SIGKILL)
    assert [line.split(" (")[0] for line in found] == [f"process {pid}"]


def test_python_handler_is_seen() -> None:
    before = leftovers.belongings()
    old = signal.signal(signal.SIGUSR2, lambda *_: None)
    found = leftovers.left_behind(before, GRACE)
    signal.signal(signal.SIGUSR2, old)
    assert any(line.startswith("handler of SIGUSR2") for line in found)
    assert any(line.startswith("SigCgt") for line in found)


def test_c_handler_is_seen() -> None:
    """A handler installed below Python is invisible to `signal.getsignal`; the kernel's mask shows it."""
    libc = ctypes.CDLL(None)
    libc.signal.restype = ctypes.c_void_p
    libc.signal.argtypes = (ctypes.c_int, ctypes.c_void_p)
    before = leftovers.belongings()
    libc.signal(signal.SIGURG, ctypes.cast(libc.abs, ctypes.c_void_p))
    found = leftovers.left_behind(before, GRACE)
    libc.signal(signal.SIGURG, None)
    assert [line.split(" ")[0] for line in found] == ["SigCgt"]


def test_every_need_has_an_answer() -> None:
    for need in hostneeds.PROBES:
        assert isinstance(hostneeds.missing(need), str)
    assert set(hostneeds.PROBES) > hostneeds.CHOICES
    assert bool(hostneeds.missing("root")) != bool(hostneeds.missing("ordinary-user"))


@pytest.mark.slow
def test_no_skips_turns_a_skip_into_a_failure(tmp_path: os.PathLike[str]) -> None:
    page = os.path.join(tmp_path, "test_skipping.py")
    with open(page, "w") as file:
        file.write("import pytest\n\ndef test_one():\n    pytest.skip('no reason to speak of')\n")
    top = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "tests.conftest",
        "-p",
        "no:cacheprovider",
        "--rootdir",
        str(tmp_path),
        page,
    ]
    environment = {**os.environ, "TRACEDBG_NO_SKIPS": "1", "PYTHONPATH": top}
    done = subprocess.run(command, env=environment, cwd=top, capture_output=True, text=True, check=False, timeout=50)
    assert done.returncode == 1, done.stdout
    assert "TRACEDBG_NO_SKIPS is set" in done.stdout
