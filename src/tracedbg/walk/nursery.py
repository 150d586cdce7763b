"""A process that has loaded everything a player needs, and makes a player by forking whenever it is asked.

Loading takes ten times as long as a short page.  `main` is that process: one thread, no tracer, no child of its own (a player is adopted
by the runner at once); `Nursery` is the runner's handle on it.
"""

from __future__ import annotations

import json
import os
import select
import socket
import sys

from tracedbg.kernel.reap import Child, Reaper
from tracedbg.kernel.spawn import SpawnSpec, fork_adopted
from tracedbg.model.errors import Failed
from tracedbg.model.ids import Pid

_CODE = "import sys; sys.path[:0] = {path}; from tracedbg.walk.nursery import main; main()"
_START_S = 60.0
"""How long the first player may take to come: loading on a busy machine."""
_LONGEST = 4096


class Nursery:
    """Makes players; one thread at a time.

    Args:
        reaper: starts it, and adopts the players.
        environment: its own, and that of the players.
    """

    def __init__(self, reaper: Reaper, environment: dict[str, str]) -> None:
        self._reaper = reaper
        self._socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        # Our own search path, made absolute: the working directory of a player must not be on it, and `site` need not run again.
        path = [os.path.abspath(entry) for entry in sys.path if os.path.isdir(entry or ".")]
        argv = [sys.executable, "-I", "-S", "-c", _CODE.format(path=json.dumps(path))]
        with theirs, open(os.devnull, "wb") as nothing:
            stdio = (theirs.fileno(), nothing.fileno(), 2)
            self._child = reaper.spawn(SpawnSpec(sys.executable, argv, environment, stdio=stdio, randomize=True, trace=False))

    def player(self, folder: str, stdio: tuple[int, int, int]) -> Child:
        """Make a player.

        Args:
            folder: its working directory.
            stdio: its descriptors 0, 1 and 2.

        Raises:
            Failed: none comes.
        """
        why = ""
        try:
            socket.send_fds(self._socket, [os.fsencode(folder)], stdio)
            asked = self._socket.fileno()
            ready, _, _ = select.select([asked, self._child.gone_fd], [], [], _START_S)
            answer = self._socket.recv(4) if asked in ready else b""
        except OSError as error:
            answer, why = b"", f" ({error.strerror})"
        if len(answer) < 4:
            raise Failed(f"no process could be made to play in{why}", "the message above says why")
        return self._reaper.adopt(Pid(int.from_bytes(answer, "little")))

    def close(self) -> None:
        """End it."""
        self._socket.close()
        self._reaper.end(self._child)
        self._child.close()


def main() -> None:
    """Make players until the runner goes; does not return."""
    import gc

    from tracedbg.commands.table import all_commands

    from . import worker

    all_commands()
    gc.freeze()  # what is loaded stays shared with the players
    with socket.socket(fileno=0) as asked:
        while True:
            folder, stdio, _, _ = socket.recv_fds(asked, _LONGEST, 3)
            if len(stdio) < 3:
                os._exit(0)
            pid = fork_adopted()
            if pid == 0:
                break
            for fd in stdio:
                os.close(fd)
            asked.send(pid.to_bytes(4, "little"))
        asked.detach()
    os.setsid()  # a player's process group is its own: kill(0, ...) in a lesson must not come here
    for number, fd in enumerate(stdio):
        os.dup2(fd, number)
        os.close(fd)
    os.chdir(folder)
    worker.main()
