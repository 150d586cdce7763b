"""Tests of the kernel package's readers, refusals and terminal, against real processes."""
