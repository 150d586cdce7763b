"""Benchmarks: run by hand, never a timed assertion of the test suite."""
