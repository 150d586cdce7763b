"""The images of a live process: drgn attached to it, with our reader of memory laid over all addresses.

Any thread, under the session's lock.  It reads /proc and the given reader; it never traces.  A process that executes another
program needs a new `ProcessCore`: the old one would go on naming things by the old program's symbols.
"""

from __future__ import annotations

import os
import struct
import weakref
from collections.abc import Callable, Sequence

from tracedbg.model.errors import Failed, NotPermitted, TracedbgError, TraceeGone

from .cfi import CfiIndex
from .core import Core
from .elf import PT_DYNAMIC, PT_INTERP, ElfFile, parse_segments
from .library import drgn
from .values import RSP, USER_REGS

_AT_PHDR, _AT_PHNUM, _AT_BASE, _AT_ENTRY = 3, 5, 7, 9
_EVERYWHERE = 1 << 64
_Status = drgn.ModuleFileStatus


def without_memory(pid: int) -> bool:
    """Whether a process has given up its memory: it is dying, and its files in /proc belong to root (fs/proc/base.c, task_dump_owner)."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
            return file.read().rpartition(") ")[2].split()[20] == "0"  # vsize
    except OSError:
        return True


def read_maps(pid: int) -> list[tuple[int, int, str, str]]:
    """The mappings of a process: first address, first address after it, permissions, path (proc_pid_maps(5)).

    A leader that has ended before its threads has no memory any more; its threads have.
    """
    maps: list[tuple[int, int, str, str]] = []
    for tid in (pid, *(int(name) for name in os.listdir(f"/proc/{pid}/task"))):
        with open(f"/proc/{pid}/task/{tid}/maps", encoding="utf-8", errors="surrogateescape") as file:
            for line in file:
                fields = line.split(None, 5)
                low, high = (int(part, 16) for part in fields[0].split("-"))
                maps.append((low, high, fields[1], fields[5].rstrip("\n") if len(fields) > 5 else ""))
        if maps:
            break
    return maps


def _weak_reader(core: ProcessCore) -> Callable[[int, int, int, bool], bytes]:
    """A reader for drgn that does not keep `core` alive.

    The program holds its reader and the core holds the program.  Through this circle the descriptors that drgn has opened would
    stay open until the garbage collector happens to run.
    """
    reference = weakref.ref(core)

    def read(address: int, count: int, _offset: int, _physical: bool) -> bytes:
        alive = reference()
        if alive is None:
            raise drgn.FaultError("the process is not debugged any more", address)
        return alive.read_for_drgn(address, count)

    return read


class ProcessCore(Core):
    """The images of one process, until its next exec.

    Args:
        pid: the process; it is stopped, or at least alive.
        read: ``read(address, count)`` gives exactly that memory without our breakpoints; raises any `TracedbgError` or
            `OSError` where there is none.

    Attributes:
        load_bias: run-time address minus address in the file of the program itself.
        visible_code: for the first address of a function, in how much of its code each variable can be seen (`variables`).

    Raises:
        TraceeGone: there is no such process any more.
        NotPermitted: /proc refuses to show it.
        Failed: drgn cannot attach for another reason.
    """

    def __init__(self, pid: int, read: Callable[[int, int], bytes]) -> None:
        self.pid = pid
        self._given_reader = read
        self._ceiling = _EVERYWHERE
        self._hit = True  # a read was refused because of the ceiling
        self._words_read: set[int] = set()  # addresses of reads before that happened
        self._cfi: dict[int, CfiIndex] = {}
        self._executable: list[tuple[int, int]] | None = None
        self._libraries_wanted: set[str] = set()
        self._unmapped: set[str] = set()
        self._files_known: list[tuple[int, int, str, str]] = []  # mapped files when all of their code was known
        self.visible_code: dict[int, dict[tuple[str, int], int]] = {}
        program = drgn.Program()
        super().__init__(program)
        try:
            program.set_pid(pid)
            program.set_enabled_debug_info_finders(["standard"])  # never debuginfod: that would ask the network
            # A later segment overrides the one of set_pid, whose errors are not always FaultError.
            program.add_memory_segment(0, _EVERYWHERE - 1, _weak_reader(self))
            word = program.int_type("unsigned long", 8, False)
            members = [drgn.TypeMember(word, name, 64 * index) for index, name in enumerate(USER_REGS[:21])]
            self._pt_regs = program.struct_type("pt_regs", 21 * 8, members)
            self.load_bias = self._declare_loader()
            self.sync()
        except ProcessLookupError as error:
            raise TraceeGone(f"process {pid} is gone", errno=error.errno or 0, tid=pid) from error
        except FileNotFoundError as error:
            raise TraceeGone(f"process {pid} is gone", errno=error.errno or 0, tid=pid) from error
        except PermissionError as error:
            if without_memory(pid):
                raise TraceeGone(f"process {pid} is gone", errno=error.errno or 0, tid=pid) from error
            raise NotPermitted(
                f"/proc/{pid} may not be read, so there are no symbols",
                "debug your own processes, or become root",
                errno=error.errno or 0,
                tid=pid,
            ) from error
        except (OSError, ValueError, drgn.FaultError) as error:
            raise Failed(f"the debug information of process {pid} cannot be read: {error}") from error

    def read_for_drgn(self, address: int, count: int) -> bytes:
        """Exactly `count` bytes, or ``FaultError``: drgn lets any other error out of an unrelated call."""
        if address + count > self._ceiling:
            self._hit = True
            raise drgn.FaultError("beyond the part of the stack that is wanted", address)
        try:
            data = self._given_reader(address, count)
        except (TracedbgError, OSError, OverflowError, ValueError) as error:
            raise drgn.FaultError("Cannot access memory", address) from error
        if len(data) != count:
            raise drgn.FaultError("Cannot access memory", address + len(data))
        if not self._hit:
            self._words_read.add(address)
        return data

    def read(self, address: int, count: int) -> bytes:
        """Exactly `count` bytes; `LookupError` where there is no memory."""
        try:
            return bytes(self.program.read(address, count))
        except (drgn.FaultError, ValueError, OverflowError) as error:
            msg = f"no memory at {address:#x}"
            raise LookupError(msg) from error

    def read_code(self, address: int, count: int) -> bytes:
        """At most `count` bytes of memory, fewer at the end of a mapping."""
        while count:
            try:
                return self.read(address, count)
            except LookupError:
                count //= 2
        return b""

    def _declare_loader(self) -> int:
        """Declare ld.so, and return the load bias of the program.

        At the first instruction ld.so has not run, and the link map, in which drgn looks for libraries, is empty.  Declared
        under the name in PT_INTERP and with its dynamic section's address, ld.so is the same module later on.
        """
        with open(f"/proc/{self.pid}/auxv", "rb") as file:
            data = file.read()
        auxv: dict[int, int] = dict(struct.iter_unpack("<QQ", data[: len(data) // 16 * 16]))
        try:
            bias: int = auxv.get(_AT_ENTRY, 0) - ElfFile(f"/proc/{self.pid}/exe").entry
        except ValueError:
            bias = 0  # not a 64-bit program: drgn will say so
        base = auxv.get(_AT_BASE, 0)
        if not base:
            return bias  # static
        read = self.program.read
        own = parse_segments(read(auxv[_AT_PHDR], 56 * auxv[_AT_PHNUM]))
        interpreter = next((segment for segment in own if segment.type == PT_INTERP), None)
        if interpreter is None:
            return bias  # started as an argument of ld.so
        name = os.fsdecode(read(bias + interpreter.address, interpreter.file_size).rstrip(b"\0"))
        offset, count = struct.unpack("<Q", read(base + 32, 8))[0], struct.unpack("<H", read(base + 56, 2))[0]
        theirs = parse_segments(read(base + offset, 56 * count))
        dynamic = next((segment for segment in theirs if segment.type == PT_DYNAMIC), None)
        if dynamic is not None:
            self.program.shared_library_module(name, base + dynamic.address, create=True)
        return bias

    def sync(self) -> bool:
        """Take note of libraries that were loaded or unloaded.

        Returns:
            True if anything changed.

        Raises:
            ValueError: drgn cannot represent the change; a new `ProcessCore` can.
            OSError: the process is gone.
        """
        self._executable = None
        try:
            os.readlink(f"/proc/{self.pid}/exe")
        except OSError:
            os.listdir(f"/proc/{self.pid}/task")  # fails where nothing of it is left
            return False  # its leader has ended before its threads: drgn, which reads the leader's files, would fail
        files = [mapping for mapping in read_maps(self.pid) if mapping[3].startswith("/")]
        if files == self._files_known:
            return False
        before = [(image.module.name, image.bias) for image in self.images]
        mapped = {low: os.path.realpath(path.removesuffix(" (deleted)")) for low, _, _, path in files}
        for module in self.program.modules():
            # After dlclose: drgn has no call to remove a module, and another one at its address would be an error.
            path = module.loaded_file_path
            if not isinstance(module, drgn.SharedLibraryModule) or not module.address_ranges or not path:
                continue
            if mapped.get(module.address_ranges[0][0]) != os.path.realpath(path):
                module.address_ranges = ()
                self._unmapped.add(os.path.realpath(path))
        if self._unmapped & set(mapped.values()):
            msg = "a library was loaded again, and drgn would go on taking it for unloaded"
            raise ValueError(msg)
        try:
            self.program.create_loaded_modules()
        except LookupError as error:
            # The main module has the name that /proc/PID/exe had; "a different name" means that this has gone.
            raise TraceeGone(f"process {self.pid} is gone", "its status will tell", tid=self.pid) from error
        wanting = []
        for module in self.program.modules():
            if module.loaded_file_status != _Status.WANT and module.debug_file_status != _Status.WANT:
                continue
            if not isinstance(module, drgn.MainModule):
                # A library of the system: symbols and call frame information only, 0.4 ms instead of 84.
                module.debug_file_status = _Status.DONT_WANT
            wanting.append(module)
        try:
            self.program.load_module_debug_info(*wanting)
        except drgn.MissingDebugInfoError:
            pass  # stripped: names come from symbols, or there are none
        self._take_own_libraries()
        self.refresh_images()
        # A single step must not pay for all this (5 ms).  ld.so maps a library before it enters it into the link map, where drgn looks:
        # what is mapped may be taken for known only once drgn knows each file with code.
        known = {os.path.realpath(module.loaded_file_path) for module in self.program.modules() if module.loaded_file_path}
        code = {mapped[low] for low, _, permissions, _ in files if "x" in permissions}
        self._files_known = files if code <= known else []
        changed = before != [(image.module.name, image.bias) for image in self.images]
        if changed:
            self._cfi.clear()
            self.visible_code.clear()
        return changed

    def _take_own_libraries(self) -> None:
        """Load the DWARF of libraries that carry it themselves: those were built by the user, who wants to see into them."""
        for module in self.program.modules():
            path = module.loaded_file_path
            if module.debug_file_status != _Status.DONT_WANT or not path or path in self._libraries_wanted:
                continue
            self._libraries_wanted.add(path)
            try:
                own = ".debug_info" in ElfFile(path).sections
            except (OSError, ValueError):
                own = False
            if own:
                module.debug_file_status = _Status.WANT
                module.try_file(path)
                if module.debug_file_status == _Status.WANT:
                    module.debug_file_status = _Status.DONT_WANT

    def trace(self, regs: Sequence[int], ceiling: int = _EVERYWHERE) -> drgn.StackTrace:
        """Unwind a stopped thread.

        drgn refuses the thread ids of a live process, but not a ``struct pt_regs`` object, which the first 21 words of
        PTRACE_GETREGS are.

        Args:
            regs: the 27 words of ``user_regs_struct``.
            ceiling: memory from this address on is taken as unreadable, which ends the trace early.
        """
        self._ceiling = ceiling
        try:
            raw = struct.pack("<21Q", *regs[:21])
            return self.program.stack_trace(drgn.Object.from_bytes_(self.program, self._pt_regs, raw))
        finally:
            self._ceiling = _EVERYWHERE

    def innermost(self, regs: Sequence[int]) -> drgn.StackTrace:
        """The innermost function, what was inlined into it, and its caller: the cost does not grow with the stack."""
        span = 256
        while True:
            self._hit = False
            self._words_read.clear()
            trace = self.trace(regs, min(regs[RSP] + span, _EVERYWHERE))
            beyond, self._hit = self._hit, True
            if not beyond or span > 1 << 20:
                return trace
            # A return address that could not be read lets drgn fall back to rbp, which may be anything.  The second frame is
            # right only if the word below its stack pointer, the return address, was read before the ceiling was met.
            real = [frame for frame in trace if not frame.is_inline][:2]
            try:
                if len(real) == 2 and real[1].sp - 8 in self._words_read:
                    return trace
            except LookupError:
                pass
            span *= 16  # a large frame: its return address is further up

    def has_cfi(self, address: int, function: str | None) -> bool:
        """The code at an address is described for unwinding.

        Args:
            address: of the code.
            function: its function in DWARF, if any: ``.debug_frame`` has no index to look in, but describes such code.
        """
        image = self.image_at(address)
        if image is None or not image.module.address_ranges:
            return False
        base = image.module.address_ranges[0][0]
        if base not in self._cfi:
            self._cfi[base] = CfiIndex(self.read, base)
        if self._cfi[base].covers(address):
            return True
        if not self._cfi[base].found and image.frames.covers(address - image.bias):
            return True
        return bool(function) and image.elf is not None and ".debug_frame" in image.elf.sections

    def executable(self, address: int) -> bool:
        """An address lies in an executable mapping (as of the last `sync`, or the first question after it)."""
        if self._executable is None:
            self._executable = [(low, high) for low, high, permissions, _ in read_maps(self.pid) if "x" in permissions]
        return any(low <= address < high for low, high in self._executable)
