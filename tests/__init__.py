"""The tests; a package so that areas can share `tests.programs`."""
