"""What goes over a puppet's channel: packets with an order, an answer, or the siginfo of a handled signal.

Any thread; waits for nothing.  The layout is that of `lab.machine`, where the instructions are that read and write it.
"""

from __future__ import annotations

import socket
import struct

import msgspec

from tracedbg.model.callnames import si_code_text
from tracedbg.model.errors import BadArgument
from tracedbg.model.events import SignalTaken

from . import machine
from .orders import Order


class Heard(msgspec.Struct, frozen=True):
    """An answer.

    Args:
        number: of the order.
        result: what the call left in its register.
        own: the descriptor of the channel on the other side; in the first word of a task only.
        passed: descriptors that came with the order.
        data: the data area.
    """

    number: int
    result: int
    own: int
    passed: tuple[int, ...]
    data: bytes


def packet(number: int, order: Order, slot: int, child_slot: int) -> bytes:
    """An order for the task in `slot`.

    Raises:
        BadArgument: its data does not fit.
    """
    base = slot + machine.DATA
    data = order.filled(base)
    if len(data) > machine.DATA_SIZE:
        raise BadArgument("the arguments are too long for one message", f"at most {machine.DATA_SIZE} bytes")
    return machine.HEADER.pack(number, order.number, *order.numbers(base), child_slot, 0, 0, 0) + data


def heard(message: bytes) -> Heard | SignalTaken:
    """What a message says."""
    if len(message) == machine.SIGINFO_SIZE:
        signal, code, sender = (int.from_bytes(message[at : at + 4], "little", signed=True) for at in (0, 8, 16))
        # The sender's place holds something else, an address for example, in what the kernel says of a fault.
        known = code <= 0 or si_code_text(signal, code).startswith("CLD_")
        return SignalTaken(signal, code, sender if known else 0)
    number, *_, result, _handled, own = machine.HEADER.unpack_from(message, machine.PACKET - machine.CONTROL)
    # struct cmsghdr: length, level, type; descriptors behind it (cmsg(3)).
    end = min(int.from_bytes(message[:8], "little"), machine.PACKET - machine.CONTROL)
    passed = tuple(int.from_bytes(message[at : at + 4], "little") for at in range(16, end, 4))
    return Heard(number, result, own, passed, message[machine.DATA - machine.CONTROL :])


def channel() -> tuple[socket.socket, socket.socket]:
    """Both ends, ours first; messages keep their borders, and the end of one side is seen by the other."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    ours.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
    return ours, theirs


_UCRED = struct.Struct("<iII")
"""struct ucred of unix(7): pid, uid, gid."""


def received(channel: socket.socket) -> tuple[bytes, int] | None:
    """The next message on our end and the process that has sent it; None if there is none yet, no bytes if there will be none.

    A task says its number as it knows it.  In a pid namespace of its own that is another one than ours, and may well be that of
    somebody else here; the kernel translates the one in SCM_CREDENTIALS (unix(7)).
    """
    try:
        data, ancillary, _, _ = channel.recvmsg(machine.REPLY_SIZE, socket.CMSG_SPACE(_UCRED.size), socket.MSG_DONTWAIT)
    except BlockingIOError:
        return None
    except OSError:
        return b"", 0
    told = [content for level, kind, content in ancillary if (level, kind) == (socket.SOL_SOCKET, socket.SCM_CREDENTIALS)]
    return data, _UCRED.unpack(told[0])[0] if told else 0
