"""Programs that cannot be started: the kernel refuses a real execve, and the sentence names what is wrong with the file."""

from __future__ import annotations

import errno
import os
import shutil
import struct
import subprocess
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.kernel_pkg.actors import act
from tracedbg.kernel import exec_failures, refusals
from tracedbg.model.errors import Failed


def refused(path: Path | str, number: int) -> str:
    """Let the kernel refuse `path`, check the errno, and return the error as a person sees it."""
    with pytest.raises(OSError) as caught:  # noqa: PT011  the errno is compared below
        subprocess.Popen([str(path)])
    assert errno.errorcode[caught.value.errno or 0] == errno.errorcode[number]
    error = refusals.explain_exec("exec", number, str(path))
    assert isinstance(error, Failed)
    assert str(error).isprintable()
    return str(error)


def executable(folder: Path, content: bytes, mode: int = 0o755) -> Path:
    path = folder / "program"
    path.write_bytes(content)
    path.chmod(mode)
    return path


def elf(*, machine: int = 0x3E, kind: int = 2, loader: bytes = b"") -> bytes:
    """A 64-bit little-endian ELF file with one program header: PT_INTERP."""
    header = b"\x7fELF" + bytes((2, 1, 1)) + bytes(9)
    header += struct.pack("<HHIQQQIHHHHHH", kind, machine, 1, 0x400000, 64, 0, 0, 64, 56, 1, 64, 0, 0)
    size = len(loader) + 1
    return header + struct.pack("<IIQQQQQQ", 3, 4, 120, 0, 0, size, size, 1) + loader + b"\0"


def test_no_file(tmp_path: Path) -> None:
    assert refused(tmp_path / "nothing\x1b[2J", errno.ENOENT).endswith("there is no such file; check the path")
    (tmp_path / "link").symlink_to("nowhere")
    assert "symbolic link to nothing" in refused(tmp_path / "link", errno.ENOENT)
    assert "not a directory" in refused(executable(tmp_path, b"x") / "y", errno.ENOTDIR)
    assert "too long" in refused("/" + "x" * 300, errno.ENAMETOOLONG)
    (tmp_path / "loop").symlink_to("loop")
    assert "symbolic links" in refused(tmp_path / "loop", errno.ELOOP)


def test_the_interpreter_is_missing_or_bad(tmp_path: Path) -> None:
    assert "interpreter '/no/sh' is not" in refused(executable(tmp_path, b"#! \t/no/sh -x\nexit\n"), errno.ENOENT)
    assert "carriage return" in refused(executable(tmp_path, b"#!/bin/sh\r\nexit\r\n"), errno.ENOENT)
    assert "interpreter '/lib/ld-no.so' is not" in refused(executable(tmp_path, elf(loader=b"/lib/ld-no.so")), errno.ENOENT)
    text = tmp_path / "text"
    text.write_bytes(b"no loader" * 100)
    text.chmod(0o755)
    assert "no valid ELF" in refused(executable(tmp_path, elf(loader=os.fsencode(text))), errno.ELIBBAD)
    text.chmod(0o644)
    assert f"interpreter '{text}' is not executable" in refused(executable(tmp_path, b"#!%b\n" % bytes(text)), errno.EACCES)


def test_real_loader_is_found() -> None:
    found = exec_failures.interpreter(os.path.realpath("/bin/sh"))
    assert found is None or os.path.exists(found)  # None: a static shell
    assert exec_failures.interpreter("/dev/null") is None


def test_not_executable(tmp_path: Path) -> None:
    assert "chmod +x" in refused(executable(tmp_path, b"#!/bin/sh\n", 0o644), errno.EACCES)
    assert "is a directory" in refused(tmp_path, errno.EACCES)
    os.mkfifo(tmp_path / "fifo", 0o755)
    assert "not a regular file" in refused(tmp_path / "fifo", errno.EACCES)


@pytest.mark.needs("root")
def test_a_closed_directory_on_the_way() -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = executable(Path(folder), b"#!/bin/sh\n")
        told = act(f"drop()\ntell(str(refusals.explain_exec('exec', errno.EACCES, {str(path)!r})))")
        assert "a directory on the way to it is closed to this user" in told


@pytest.mark.needs("root")
def test_noexec_mount(tmp_path: Path) -> None:
    if shutil.which("unshare") is None:
        pytest.skip("no unshare(1), which makes the private mount namespace here")
    mount = ("unshare", "-m", "sh", "-c", 'mount -t tmpfs -o noexec none "$0" && exec "$@"', str(tmp_path))
    code = f"""
path = {str(tmp_path)!r} + "/script"
with open(path, "w") as file: file.write("#!/bin/sh")
os.chmod(path, 0o755)
try: os.execv(path, ["script"])
except OSError as error: tell([error.errno, str(refusals.explain_exec("exec", error.errno, path))])
"""
    number, text = act(code, wrapper=mount)
    assert number == errno.EACCES
    assert "mounted noexec" in text


def test_wrong_format(tmp_path: Path) -> None:
    assert "empty" in refused(executable(tmp_path, b""), errno.ENOEXEC)
    assert "#!" in refused(executable(tmp_path, b"echo hello\n"), errno.ENOEXEC)
    assert "beginning of an ELF file" in refused(executable(tmp_path, b"\x7fELF"), errno.ENOEXEC)
    assert "for RISC-V, and this machine is" in refused(executable(tmp_path, elf(machine=0xF3)), errno.ENOEXEC)
    assert "no program" in refused(executable(tmp_path, elf(kind=1)), errno.ENOEXEC)
    assert "no interpreter" not in refused(executable(tmp_path, b"#!\n"), errno.ENOEXEC)


def test_open_for_writing(tmp_path: Path) -> None:
    path = executable(tmp_path, Path("/bin/true").read_bytes())
    with path.open("r+b"):
        assert "open for writing" in refused(path, errno.ETXTBSY)


def test_other_stages() -> None:
    text = str(refusals.explain_exec("directory", errno.ENOENT, "/bin/true"))
    assert text == "cannot start '/bin/true': its working directory could not be entered: No such file or directory (ENOENT)"
    assert "E2BIG" not in str(refusals.explain_exec("exec", errno.E2BIG, "/bin/true"))


@settings(max_examples=200, deadline=None, database=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.one_of(
        st.binary(max_size=200),
        st.binary(max_size=300).map(lambda tail: b"\x7fELF\x02\x01" + tail),
        st.binary(max_size=300).map(lambda tail: b"\x7fELF\x01\x02" + tail),
        st.tuples(st.integers(0, 119), st.integers(0, 255)).map(
            lambda at: elf(loader=b"/x")[: at[0]] + bytes((at[1],)) + elf(loader=b"/x")[at[0] + 1 :]
        ),
    ),
    st.sampled_from([errno.ENOENT, errno.EACCES, errno.ENOEXEC]),
)
def test_no_file_is_too_damaged_to_be_explained(tmp_path: Path, content: bytes, number: int) -> None:
    error = refusals.explain_exec("exec", number, str(executable(tmp_path, content)))
    assert str(error).isprintable()
    assert str(error).startswith("cannot start '")
