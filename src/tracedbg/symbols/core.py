"""The images of a program, in a file or in a process, and what addresses in them mean.

Any thread, under the session's lock.  `Core` holds what files and processes have in common: one drgn Program and, for each
module, an `Image` with its line table.  It makes no ptrace request; memory of a process is read through a given reader.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import cached_property

from tracedbg.model.text import visible

from .cfi import FrameSection
from .elf import PT_LOAD, ElfFile
from .library import drgn
from .lines import LineTable
from .plt import plt_symbols
from .values import Place, Row

_MASK = (1 << 64) - 1
_FUNCTIONS = (drgn.SymbolKind.FUNC, drgn.SymbolKind.IFUNC)


@dataclass(eq=False)
class Image:
    """One mapped program or library.

    Attributes:
        module: drgn's view of it.
        path: the file that is mapped; empty for the vDSO.
        bias: run-time address minus address in `path`.
        main: it is the program itself.
    """

    module: drgn.Module
    path: str
    bias: int
    main: bool

    @cached_property
    def elf(self) -> ElfFile | None:
        """The mapped file; None when it cannot be read (deleted, or no file at all)."""
        return _open(self.path)

    @cached_property
    def debug_path(self) -> str:
        """The file that has the DWARF: a separate debug file, or the mapped file itself."""
        return self.module.debug_file_path or self.path

    @cached_property
    def debug_bias(self) -> int:
        """Run-time address minus address in `debug_path`."""
        bias = self.module.debug_file_bias
        return self.bias if bias is None else _signed(bias)

    @cached_property
    def lines(self) -> LineTable:
        """The line table, without units when there is none."""
        elf = self.elf if self.debug_path == self.path else _open(self.debug_path)
        return LineTable.of(elf)

    @cached_property
    def plt(self) -> dict[int, tuple[str, int]]:
        """Stubs of the procedure linkage table, by their address in the file."""
        return plt_symbols(self.elf) if self.elf is not None else {}

    @cached_property
    def frames(self) -> FrameSection:
        """What ``.eh_frame`` describes, for images without a sorted table of it."""
        section = self.elf.sections.get(".eh_frame") if self.elf is not None else None
        if self.elf is None or section is None:
            return FrameSection(b"", 0)
        return FrameSection(self.elf.data(".eh_frame"), section.address)

    def contains(self, address: int) -> bool:
        """The image is mapped there."""
        return any(low <= address < high for low, high in self.module.address_ranges or ())


def _open(path: str) -> ElfFile | None:
    try:
        return ElfFile(path) if path else None
    except (OSError, ValueError):
        return None


def _signed(number: int) -> int:
    """Drgn gives biases modulo 2**64; a prelinked or non-PIE image has a negative or zero one."""
    return number - (1 << 64) if number >> 63 else number


def name_of(symbol: drgn.Symbol) -> str:
    """A symbol's name without its version: ``printf@GLIBC_2.2.5`` is ``printf``."""
    name: str = symbol.name
    return name.split("@", 1)[0] or name


class Core:
    """A drgn Program with the images in it.

    Args:
        program: with its modules already created.
    """

    def __init__(self, program: drgn.Program) -> None:
        self.program = program
        self.images: list[Image] = []
        self.generation = 0
        self._recorded: dict[str, str] = {}

    def refresh_images(self) -> None:
        """Make `images` agree with drgn's modules; known ones keep their decoded line tables."""
        known = {(image.module.name, image.bias): image for image in self.images}
        images = []
        for module in self.program.modules():
            if not module.address_ranges:
                continue
            main = isinstance(module, drgn.MainModule | drgn.ExtraModule)
            bias = _signed(module.loaded_file_bias or 0)
            images.append(known.get((module.name, bias)) or Image(module, module.loaded_file_path or "", bias, main))
        images.sort(key=lambda image: not image.main)
        self.images = images
        self.generation += 1

    @property
    def main(self) -> Image | None:
        """The program itself; None when drgn could not identify it."""
        return self.images[0] if self.images and self.images[0].main else None

    def image_at(self, address: int) -> Image | None:
        """The image that is mapped at an address."""
        return next((image for image in self.images if image.contains(address)), None)

    def read_code(self, address: int, count: int) -> bytes:
        """At most `count` bytes of an image; empty when there is none.  A process overrides this with its memory."""
        image = self.image_at(address)
        return image.elf.read(address - image.bias, count) if image is not None and image.elf is not None else b""

    def symbol_at(self, address: int) -> tuple[str, int, int] | None:
        """Name, first address and size of the symbol that contains an address.

        Of several names for one address a global one with few underscores is taken: ``printf`` before ``__printf``.
        """
        if not 0 <= address <= _MASK or self.image_at(address) is None:
            return None  # a module that was unmapped still answers, with meaningless low addresses
        try:
            best = self.program.symbol(address)
        except LookupError:
            return self._stub_at(address)
        same = [s for s in self.program.symbols(address) if s.address == best.address and s.size == best.size]
        if len(same) > 1:
            best = min(same, key=lambda s: (s.binding != drgn.SymbolBinding.GLOBAL, name_of(s).startswith("_"), len(s.name)))
        if best.size == 0 and address != best.address:
            return self._stub_at(address) or (name_of(best), best.address, best.size)
        return name_of(best), best.address, best.size

    def _stub_at(self, address: int) -> tuple[str, int, int] | None:
        image = self.image_at(address)
        if image is None or not image.path:
            return None
        at = address - image.bias
        for start in (at & ~15, at & ~7):
            if start in image.plt and at < start + image.plt[start][1]:
                name, size = image.plt[start]
                return name, start + image.bias, size
        return None

    def symbols_named(self, name: str) -> list[drgn.Symbol]:
        """Symbols with this name in mapped images, those of the program first."""
        found = [s for s in self.program.symbols(name) if self.image_at(s.address) is not None]
        main = self.main
        return sorted(found, key=lambda s: not (main is not None and main.contains(s.address)))

    def functions_named(self, name: str) -> list[int]:
        """First addresses of the functions with this name: those in the program, else those in libraries, else stubs."""
        symbols = [s for s in self.symbols_named(name) if s.kind in _FUNCTIONS]
        main = self.main
        own = [s for s in symbols if main is not None and main.contains(s.address)]
        starts = dict.fromkeys(s.address for s in own or symbols)
        if not starts and main is not None:
            stub = name if name.endswith("@plt") else f"{name}@plt"
            starts = dict.fromkeys(at + main.bias for at, (text, _) in main.plt.items() if text == stub)
        return list(starts)

    def function_range(self, address: int) -> tuple[int, int] | None:
        """First address and first address after the function or stub that contains an address."""
        symbol = self.symbol_at(address)
        if symbol is None or not symbol[2]:
            return None
        return symbol[1], symbol[1] + symbol[2]

    def scopes(self, address: int) -> list[tuple[str, str, int]]:
        """Function, file and line for an address, the innermost inlined function first; empty when there is no line."""
        try:
            return [(each.name() or "", each.filename, each.line) for each in self.program.source_location(address)]
        except (LookupError, ValueError):
            return []

    def activation_key(self, address: int) -> tuple[object, ...]:
        """Equal for two addresses in the same inlined copy of a function (or in the same function outside all copies)."""
        symbol = self.symbol_at(address)
        try:
            chain = list(self.program.source_location(address))
        except (LookupError, ValueError):
            chain = []
        # The places of the calls, with columns, tell one copy from the next.
        return (symbol[1] if symbol else 0, tuple(each.name() for each in chain), tuple(tuple(each) for each in chain[1:]))

    def place(self, address: int) -> Place:
        """All that is known about an address."""
        image = self.image_at(address)
        if image is None:
            return Place(address)
        symbol = self.symbol_at(address)
        scopes = self.scopes(address)
        function, file, line = scopes[0] if scopes else ("", "", 0)
        if scopes and (row := self._row(image, address, file)) is not None and row.line:
            file, line = row.file, row.line  # of several rows for one address drgn takes the first, gdb and `row` the last
        name, start = (symbol[0], symbol[1]) if symbol else ("", address)
        return Place(
            address,
            visible(name),
            address - start,
            visible(function or name),
            visible(file),
            line,
            visible(image.path or image.module.name),
        )

    def row(self, address: int) -> Row | None:
        """The row of the line table that covers an address, in run-time addresses."""
        image = self.image_at(address)
        if image is None or not image.lines.units:
            return None
        scopes = self.scopes(address)
        return self._row(image, address, scopes[0][1] if scopes else "")

    def _row(self, image: Image, address: int, file: str) -> Row | None:
        row = image.lines.row_at(address - image.debug_bias, file)
        return None if row is None else moved(row, image.debug_bias)

    def rows(self, address: int) -> list[tuple[Row, bool]]:
        """Rows of the function around an address, each with whether it ends the prologue."""
        image, bounds = self.image_at(address), self.function_range(address)
        if image is None or bounds is None or not image.lines.units:
            return []
        scopes = self.scopes(bounds[0])
        bias = image.debug_bias
        found = image.lines.rows_between(bounds[0] - bias, bounds[1] - bias, scopes[0][1] if scopes else "")
        return [(moved(row, bias), prologue_end) for row, prologue_end in found]

    def after_prologue(self, entry: int) -> int | None:
        """Where a breakpoint on the function that begins at `entry` goes; None when it has no line information."""
        image, bounds = self.image_at(entry), self.function_range(entry)
        if image is None or bounds is None or bounds[0] != entry or not image.lines.units:
            return None
        scopes = self.scopes(entry)
        if not scopes:
            return None
        bias = image.debug_bias
        found = image.lines.after_prologue(entry - bias, bounds[1] - bias, self.read_code(entry, 16), scopes[0][1])
        return None if found is None else found + bias

    def function_names(self) -> list[str]:
        """Names of the program's own functions, sorted; those of libraries are left out."""
        main = self.main
        if main is None:
            return []
        names = {name_of(s) for s in self.program.symbols() if s.kind in _FUNCTIONS and main.contains(s.address)}
        return sorted(visible(name) for name in names if name)

    def recorded_name(self, file: str) -> str:
        """The name by which the compiler was told a source file, which is what gdb shows; `file` where nothing is known."""
        if file not in self._recorded:
            tables = (image.lines for image in self.images if image.lines.units)
            self._recorded[file] = next((name for table in tables if (name := table.recorded_name(file)) != file), file)
        return self._recorded[file]

    def object_names(self) -> list[str]:
        """Names of the program's own variables that have a place of their own, sorted."""
        main = self.main
        if main is None:
            return []
        names = {name_of(s) for s in self.program.symbols() if s.kind == drgn.SymbolKind.OBJECT and main.contains(s.address)}
        return sorted(visible(name) for name in names if name)

    def section_at(self, address: int) -> str:
        """The section of its file that an address is in; empty when unknown."""
        image = self.image_at(address)
        if image is None or image.elf is None:
            return ""
        at = address - image.bias
        inside = (s.name for s in image.elf.sections.values() if s.address and s.address <= at < s.address + s.size)
        return visible(next(inside, ""))

    def source_files(self) -> list[str]:
        """Source files with line information in images whose debug information is loaded."""
        return list(dict.fromkeys(visible(path) for image in self.images for path in image.lines.files()))


def moved(row: Row, bias: int) -> Row:
    """The same row at run-time addresses."""
    return Row(row.low + bias, row.high + bias, visible(row.file), row.line, row.is_stmt) if bias else row


def open_file(path: str) -> Core:
    """A core for a program that is not running: addresses are those of the file, and there is no memory.

    Raises:
        OSError, ValueError: the file cannot be read, or is no 64-bit ELF file.
    """
    path = os.path.abspath(path)
    elf = ElfFile(path)
    program = drgn.Program(drgn.host_platform)
    program.set_enabled_debug_info_finders(["standard"])  # never debuginfod: that would ask the network
    module = program.extra_module(path, 0, create=True)
    loads = [segment for segment in elf.segments if segment.type == PT_LOAD]
    if loads:
        low = min(segment.address for segment in loads) & ~0xFFF
        high = max(segment.address + segment.memory_size for segment in loads)
        module.address_range = (low, high)
    module.try_file(path)
    if module.debug_file_status == drgn.ModuleFileStatus.WANT:
        try:
            program.load_module_debug_info(module)  # a separate debug file, by link or build-id
        except drgn.MissingDebugInfoError:
            pass  # stripped: everything below works with what is left
    core = Core(program)
    core.refresh_images()
    return core
