"""Sessions on real programs: what every command does to a process, and that nothing stays behind."""
