"""tracedbg: the debugger that shows how debuggers work.

The package is a stack of floors; each imports only the floors below it (see docs/INTERNALS.md):
cli, ui, commands, lang, session, lab, tracer, (kernel, render, symbols), eventlog, model.
"""

__version__ = "0.1.0"
