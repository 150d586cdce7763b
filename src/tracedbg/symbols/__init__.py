"""Debug information: symbols, frames, source lines, variables and machine code of a program.

Runs on whichever thread owns the session's lock around it; it makes no ptrace request and waits for nothing: registers and a
reader of memory are given to it.  The only importer of drgn, pyelftools and capstone, each on first use, so that importing this
package is cheap and works on machines without them.
"""

from __future__ import annotations

from .values import Frame, Location, Place, Row, Variable

__all__ = ["Frame", "Location", "Place", "Row", "Variable"]
