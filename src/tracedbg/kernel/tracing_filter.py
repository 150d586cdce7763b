"""Filters that the kernel applies before an event is recorded, as text for a tracepoint's `filter` file.

Pure, any thread.  Why filters at all, when `set_event_pid` already limits a trace to our own tasks and their children: the threads of
an interpreter wake each other all the time to hand over its lock, thousands of times a second while something computes, and the
reader of the trace is one of them.  Recorded, each of these wake-ups would wake the reader, which would make more of them.
"""

from __future__ import annotations

from collections.abc import Iterable

LIMIT = 3900
"""Bytes of one filter: less than a page (kernel/trace/trace_events.c, event_filter_write)."""

_IN_INTERRUPT = 0x08 | 0x10
"""TRACE_FLAG_HARDIRQ and TRACE_FLAG_SOFTIRQ (include/linux/trace_events.h): the current task is then a bystander."""
_STATE = 0xFF
"""The bits of `prev_state` in which a task does not want to run; a preempted task has none of them (include/linux/sched.h, TASK_REPORT)."""


def runs(numbers: Iterable[int]) -> list[tuple[int, int]]:
    """Numbers as closed intervals without gaps, so that no other task's number is in one."""
    found: list[tuple[int, int]] = []
    for number in sorted(set(numbers)):
        if found and number == found[-1][1] + 1:
            found[-1] = (found[-1][0], number)
        else:
            found.append((number, number))
    return found


def outside(field: str, intervals: Iterable[tuple[int, int]]) -> str:
    """The expression: the field lies in none of the intervals.  A filter needs a field, so without any it is one that is always true."""
    return " && ".join(f"({field} < {low} || {field} > {high})" for low, high in intervals) or f"({field} >= 0)"


def waking(ours: Iterable[int]) -> str:
    """Filter of sched_waking: what one of `ours` does to another one is left out, and what an interrupt does.

    Where a thousand threads do not fit, the longest intervals are left out and the reader drops the rest.
    """
    intervals = sorted(runs(ours), key=lambda each: each[0] - each[1])
    while True:
        text = f"!(common_flags & {_IN_INTERRUPT}) && (({outside('common_pid', intervals)}) || ({outside('pid', intervals)}))"
        if len(text) <= LIMIT:
            return text
        del intervals[max(1, len(intervals) * 9 // 10) :]


def switching(ours: Iterable[int]) -> str:
    """Filter of sched_switch: a task that is not one of `ours` leaves the processor because it does not want to run."""
    intervals = sorted(runs(ours), key=lambda each: each[0] - each[1])
    while True:
        text = f"(prev_state & {_STATE}) && {outside('prev_pid', intervals)}"
        if len(text) <= LIMIT:
            return text
        del intervals[max(1, len(intervals) * 9 // 10) :]
