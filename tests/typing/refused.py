"""Never run: the lines marked REFUSED must fail to type-check, all others must pass.  See test_refused.py."""

from tracedbg.kernel.ptrace import Ptrace
from tracedbg.model.ids import Tid
from tracedbg.tracer import ops, running
from tracedbg.tracer.book import Book
from tracedbg.tracer.thread import Tracer


def asks(tracer: Tracer) -> None:
    """What a thread that is not the tracer may and may not write."""
    regs = tracer.call(ops.registers, 4242)
    assert regs.pc
    tracer.start(running.cont, 4242, 4242, 4242, 0)
    ops.registers(4242)  # REFUSED: an op called directly, without the right
    tracer.call(ops.registers)  # REFUSED: an argument is missing
    tracer.call(ops.registers, "4242")  # REFUSED: a wrong argument type
    tracer.call(len, [])  # REFUSED: not an op, it does not take the right
    running.cont(tracer, 4242, 4242)  # REFUSED: the tracer's handle is not the right
    ops.registers(tracer, tracer, 4242)  # REFUSED: nor does it stand for both


def holds(pt: Ptrace, book: Book) -> None:
    """With the right, everything may be called directly."""
    pt.cont(Tid(4242), to="try")
    ops.registers(pt, book, 4242)
