"""A recording played again: no program runs, nothing is traced, nothing that is recorded is executed."""
