"""The terminal: prompt, live log, keys.

Imports nothing by itself, so that `tracedbg.ui.plain` and `tracedbg.ui.pump` stay cheap; `tracedbg.ui.app` loads prompt_toolkit
(a fifth of a second) and is imported only once it is known that someone sits at a terminal.
"""
