"""Exported pages as people meet them: in a browser, with a keyboard, in both themes, on a phone, on paper, and without scripts."""
