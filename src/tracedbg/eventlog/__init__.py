"""Ordered truth: one log, one order, sinks that only read."""
