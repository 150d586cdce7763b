"""Recordings written as something else: pure functions of a recording, one module for each form."""
