"""Rules for every test: what it needs of the machine, and that it leaves nothing behind.

`@pytest.mark.needs("cc", "ptrace")` skips with the reason where a need is missing; `TRACEDBG_NO_SKIPS=1` makes each skip a
failure.  `@pytest.mark.leaves_behind(reason="...")` switches the check for leftovers off for one test, with its reason.
"""

from __future__ import annotations

import gc
import os
from collections.abc import Generator, Iterator

import hypothesis
import pytest

from tests import hostneeds, leftovers, programs, turnstile

# drgn's OpenMP runtime keeps a pool of kernel threads for good once it has used more than one.  That pool would be an
# unknown thread in every check for leftovers, so in-process tests use one; programs that tests start inherit it too.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# A lesson plays in a directory of its own, and one of them launches a module of ours: a relative path would lead nowhere there.
if "PYTHONPATH" in os.environ:
    os.environ["PYTHONPATH"] = os.pathsep.join(os.path.abspath(each) for each in os.environ["PYTHONPATH"].split(os.pathsep))


# Property tests are judged by their result, not by the clock: on a shared machine a single example may take its time.
# `.ci/run --long` asks for more examples.
hypothesis.settings.register_profile(
    "tracedbg",
    deadline=None,
    max_examples=int(os.environ.get("TRACEDBG_EXAMPLES", "15")),
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
    print_blob=True,
)
hypothesis.settings.load_profile("tracedbg")


def pytest_configure(config: pytest.Config) -> None:
    for line in (
        f"needs(*names): skip, with the reason, where the machine lacks one of {', '.join(hostneeds.PROBES)}",
        "alone: measures time, so the other workers of a parallel run pause meanwhile",
        "leaves_behind(reason): this test leaves a process, thread, descriptor or handler on purpose",
    ):
        config.addinivalue_line("markers", line)
    leftovers.become_subreaper()
    programs.share_folder()  # before workers start, so that they share it


def pytest_collection_finish() -> None:
    # Sessions, engines and the check for leftovers collect garbage; what thousands of collected tests are made of need not be
    # looked through each time: measured, 38 tests of one file took 38 s of processor time among all others, 17 s alone.
    gc.collect()
    gc.freeze()


def pytest_report_header() -> list[str]:
    kernel = os.uname()
    return [
        f"host: Linux {kernel.release} {kernel.machine}, uid {os.geteuid()}, "
        + ", ".join(f"{need}: {'no' if hostneeds.missing(need) else 'yes'}" for need in ("ptrace", "cc", "gdb", "tmux")),
        f"skips are {'failures' if hostneeds.NO_SKIPS else 'allowed'} (TRACEDBG_NO_SKIPS)",
    ]


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Around the whole of a test, its time limit and its check for leftovers included."""
    if "PYTEST_XDIST_WORKER" not in os.environ:
        return (yield)
    with turnstile.admission(programs.share_folder(), alone=item.get_closest_marker("alone") is not None):
        return (yield)


def pytest_runtest_setup(item: pytest.Item) -> None:
    for mark in item.iter_markers("needs"):
        for need in mark.args:
            why = hostneeds.missing(need)
            if why:
                item.stash[_CHOSEN] = need in hostneeds.CHOICES
                pytest.skip(f"needs {need}: {why}")


_CHOSEN = pytest.StashKey[bool]()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    report = yield
    if hostneeds.NO_SKIPS and report.skipped and not hasattr(report, "wasxfail") and not item.stash.get(_CHOSEN, False):
        report.outcome = "failed"
        report.longrepr = f"TRACEDBG_NO_SKIPS is set, and this test was skipped: {report.longrepr}"
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(collector: pytest.Collector) -> Iterator[None]:
    report = yield
    if hostneeds.NO_SKIPS and report.skipped:
        report.outcome = "failed"
        report.longrepr = f"TRACEDBG_NO_SKIPS is set, and {collector.nodeid} was skipped: {report.longrepr}"
    return report


@pytest.fixture(autouse=True)
def leaves_nothing_behind(request: pytest.FixtureRequest) -> Iterator[None]:
    """Law 10: no process, thread, descriptor or signal handler outlives its test."""
    mark = request.node.get_closest_marker("leaves_behind")
    if mark is not None:
        assert mark.kwargs.get("reason"), "leaves_behind wants a reason"
        yield
        return
    before = leftovers.belongings()
    yield
    found = leftovers.left_behind(before)
    if found:
        pytest.fail("left behind: " + "; ".join(found), pytrace=False)
