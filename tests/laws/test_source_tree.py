"""Laws that can be read off the source: size, words of explanation, banned calls, floors, nothing of one machine."""

from __future__ import annotations

import ast
import re
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from tests.laws.trees import MODULES, TOP, name_of, nodes_of

CEILING, HARD_CEILING = 400, 600
# A module over 400 lines wants a reason here: path below src/tracedbg -> why it is not two modules.
REASONS: dict[str, str] = {}

# Law 2, 3 and 7: what may be called where.  A name with a dot is a module's function; paths are below src/tracedbg.
BANNED_CALLS: dict[str, tuple[frozenset[str], str]] = {
    "os.fork": (frozenset({"kernel/spawn.py"}), "law 2: only kernel/spawn.py forks"),
    "os.forkpty": (frozenset(), "law 2: only kernel/spawn.py forks"),
    "pty.fork": (frozenset(), "law 2: only kernel/spawn.py forks"),
    "os.posix_spawn": (frozenset(), "law 2: vfork semantics can deadlock with a tracee that stops before exec"),
    "os.posix_spawnp": (frozenset(), "law 2: vfork semantics can deadlock with a tracee that stops before exec"),
    "os.system": (frozenset(), "law 2: a waiter on -1 takes any child's status"),
    "os.popen": (frozenset(), "law 2: a waiter on -1 takes any child's status"),
    "os.wait": (frozenset(), "law 3: one wait function; Python's own retries EINTR and cannot be poked"),
    "os.wait3": (frozenset(), "law 3: one wait function"),
    "os.wait4": (frozenset(), "law 3: one wait function"),
    "os.waitpid": (frozenset(), "law 3: one wait function"),
    "os.waitid": (frozenset(), "law 3: one wait function"),
    "time.sleep": (frozenset(), "law 7: wait for a fact with a deadline"),
    "signal.signal": (
        frozenset({"commands/batch.py", "ui/app.py", "ui/plain.py"}),
        "main thread only; the poke is installed by sigaction in kernel",
    ),
    # signature.py evaluates annotations of our own handlers, as typing.get_type_hints does; nothing that a person typed.
    "eval": (frozenset({"lang/signature.py"}), "what a person typed is parsed by lang"),
    "exec": (frozenset(), "what a person typed is parsed by lang"),
    "print": (frozenset(), "law 4: if it happened, it is an event; screens read events"),
    "input": (frozenset(), "the prompt belongs to ui"),
}
BANNED_MODULES = {"subprocess": "law 2", "multiprocessing": "law 2", "pexpect": "law 2", "pdb": "left over from debugging"}

# Who may import what from outside (so that each can be replaced in one place).
OUTSIDE: dict[str, set[str]] = {
    "ptrace": {"kernel", "lab", "model"},
    "drgn": {"symbols"},
    "capstone": {"symbols"},
    "elftools": {"symbols"},
    "rich": {"render", "exports"},
    "prompt_toolkit": {"ui"},
    "markdown_it": {"exports", "render", "walk"},
    "PIL": {"exports"},
    "resvg_py": {"exports"},
}


def dotted(node: ast.expr) -> str:
    """``os.fork`` for that expression, empty for anything more complicated than names and dots."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        left = dotted(node.value)
        return f"{left}.{node.attr}" if left else ""
    return ""


def imports(nodes: Sequence[ast.AST]) -> Iterator[tuple[int, str, str]]:
    """Line, module, and name imported from it (empty for a plain import) of each absolute import, late ones too."""
    for node in nodes:
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, alias.name, ""
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            for alias in node.names:
                yield node.lineno, node.module or "", alias.name


def nodes(code: str) -> list[ast.AST]:
    return list(ast.walk(ast.parse(code)))


def banned_in(nodes: Sequence[ast.AST], name: str) -> list[str]:
    """One line for each banned use in a module called `name`."""
    known = {}  # a name made by `from os import fork as f` -> os.fork
    found = []
    for line, module, what in imports(nodes):
        top = module.split(".")[0]
        if top in BANNED_MODULES:
            found.append(f"{name}:{line}: import of {top} ({BANNED_MODULES[top]})")
        if what and f"{module}.{what}" in BANNED_CALLS:
            known[what] = f"{module}.{what}"
            allowed, why = BANNED_CALLS[known[what]]
            if name not in allowed:
                found.append(f"{name}:{line}: {known[what]} ({why})")
    for node in nodes:
        # Any mention counts, not only a call: `f = os.fork` would be a way round.
        text = dotted(node) if isinstance(node, ast.Attribute) else ""
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            text = known.get(node.func.id, node.func.id)
        if text in BANNED_CALLS and name not in BANNED_CALLS[text][0]:
            found.append(f"{name}:{node.lineno}: {text} ({BANNED_CALLS[text][1]})")
    return sorted(set(found))


def undocumented_in(nodes: Sequence[ast.AST], name: str) -> list[str]:
    """One line for each public thing without a docstring; a name is public if neither it nor what holds it has an underscore.

    A method of a derived class is explained where a class of the same module explains the method of that name.
    """
    tree = nodes[0]
    assert isinstance(tree, ast.Module)
    found = [] if ast.get_docstring(tree) else [f"{name}: the module"]
    explained = {
        method.name
        for each in nodes
        if isinstance(each, ast.ClassDef)
        for method in each.body
        if isinstance(method, ast.FunctionDef) and ast.get_docstring(method)
    }

    def look(body: list[ast.stmt], inside: str, derived: bool = False) -> None:
        for node in body:
            if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and not node.name.startswith("_"):
                overrides = any(dotted(each).endswith(("override", "overload", ".setter")) for each in node.decorator_list)
                overrides = overrides or (derived and node.name in explained)
                if not ast.get_docstring(node) and not overrides:
                    found.append(f"{name}:{node.lineno}: {inside}{node.name}")
                if isinstance(node, ast.ClassDef):
                    look(node.body, f"{inside}{node.name}.", derived=bool(node.bases))

    look(tree.body, "")
    return found


def lines_of(path: Path) -> int:
    return len(path.read_text(encoding="utf-8").splitlines())


def test_there_is_something_to_check() -> None:
    assert len(MODULES) > 5
    assert {"model", "kernel"} <= {name_of(path).split("/")[0] for path in MODULES}


def test_module_ceiling() -> None:
    sizes = {name_of(path): lines_of(path) for path in MODULES}
    table = "\n".join(f"{size:5} {name}" for name, size in sorted(sizes.items(), key=lambda each: -each[1])[:20])
    high = [name for name, size in sizes.items() if size > CEILING and name not in REASONS]
    assert not high, f"over {CEILING} lines without a reason in REASONS: {high}\n{table}"
    over = [name for name, size in sizes.items() if size > HARD_CEILING]
    assert not over, f"over {HARD_CEILING} lines, no reason helps: {over}\n{table}"
    idle = [name for name in REASONS if sizes.get(name, 0) <= CEILING]
    assert not idle, f"reasons that are not needed any more: {idle}"


def test_public_things_are_explained() -> None:
    assert [line for path in MODULES for line in undocumented_in(nodes_of(path), name_of(path))] == []


def test_nothing_banned_is_used() -> None:
    assert [line for path in MODULES for line in banned_in(nodes_of(path), name_of(path))] == []


def test_outside_packages_have_one_home() -> None:
    found = []
    for path in MODULES:
        floor = name_of(path).split("/")[0].removesuffix(".py")
        for line, module, _ in imports(nodes_of(path)):
            homes = OUTSIDE.get(module.split(".")[0], {floor})
            if floor not in homes:
                found.append(f"{name_of(path)}:{line}: {module} belongs in {sorted(homes)}")
    assert found == []


@pytest.mark.parametrize(
    ("code", "count"),
    [
        ("import os\nos.fork()\n", 1),
        ("from os import fork as f\n", 1),
        ("import os\nf = os.waitpid\n", 1),
        ("import time\ntime.sleep(1)\n", 1),
        ("print('x')\n", 1),
        ("def late():\n    import subprocess\n", 1),
        ("from subprocess import run\n", 1),
        ("def f(print): ...\n", 0),
        ("import os\nos.forked()\n", 0),
    ],
)
def test_the_ban_finds_what_it_is_for(code: str, count: int) -> None:
    assert len(banned_in(nodes(code), "some/module.py")) == count


def test_the_search_for_docstrings_finds_what_it_is_for() -> None:
    code = '"""Doc."""\nclass A:\n    """Doc."""\n    def f(self): ...\n    def _g(self): ...\ndef h(): ...\n'
    assert undocumented_in(nodes(code), "m") == ["m:4: A.f", "m:6: h"]
    assert undocumented_in(nodes("x = 1\n"), "m") == ["m: the module"]
    family = '"""M."""\nclass A:\n    """A."""\n    def f(self):\n        """F."""\nclass B(A):\n    """B."""\n    def f(self): ...\n'
    assert undocumented_in(nodes(family), "m") == []
    assert undocumented_in(nodes(family.replace("B(A)", "B")), "m") == ["m:8: B.f"]


# --- nothing of one machine ---------------------------------------------------------------------------------------------------
def tracked() -> list[Path]:
    """Files that git knows; in a tree without git, all files that are not made by tools."""
    done = subprocess.run(["git", "ls-files", "-z"], cwd=TOP, capture_output=True, check=False) if shutil.which("git") else None
    if done is not None and done.returncode == 0 and done.stdout:
        return [TOP / name for name in done.stdout.decode().split("\0") if name and (TOP / name).is_file()]
    parts = {"src", "tests", "docs", ".ci"}
    return [
        path for path in TOP.rglob("*") if path.is_file() and path.relative_to(TOP).parts[0] in parts and "__pycache__" not in path.parts
    ]


# Written in halves so that this file does not contain them.  A user's folder counts with the name that follows.
_FOLDERS = [
    "wo" + "rk",
    "fa" + "rm",
    "ro" + "ot",
    r"ho" + r"me/\w+",
    r"Us" + r"ers/\w+",
    "opt/py" + "pi",
    "tmp/ve" + "nv",
    "tmp/ba" + "sh_jobs",
]
MACHINE_PATHS = re.compile(rf"(?<![\w./-])/(?:{'|'.join(_FOLDERS)})(?![\w-])")


@pytest.mark.parametrize(
    ("text", "bad"),
    [
        ("see /" + "work/x", True),
        ('"/' + 'root/.cache"', True),
        ("/" + "home/somebody/x", True),
        ("/proc/1/" + "root/x", False),
        ("https://example.org/work/x", False),
        ("frame/work", False),
    ],
)
def test_the_search_for_machine_paths(text: str, bad: bool) -> None:
    assert bool(MACHINE_PATHS.search(text)) is bad


def test_no_paths_of_one_machine() -> None:
    found = []
    for path in tracked():
        data = path.read_bytes()
        if b"\0" in data:
            continue
        for number, line in enumerate(data.decode("utf-8", "replace").splitlines(), 1):
            if MACHINE_PATHS.search(line):
                found.append(f"{path.relative_to(TOP)}:{number}: {line.strip()[:100]}")
    assert found == []


def test_no_sleeping_in_tests() -> None:
    """Law 7 holds for tests as well; strings that tell a program under test to sleep are not calls."""
    found = [
        f"{path.relative_to(TOP)}:{node.lineno}"
        for path in sorted((TOP / "tests").rglob("*.py"))
        if "sleep" in path.read_text(encoding="utf-8")
        for node in nodes_of(path)
        if isinstance(node, ast.Attribute) and dotted(node) == "time.sleep"
    ]
    assert found == []
