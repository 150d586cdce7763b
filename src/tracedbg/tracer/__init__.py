"""The heart: one thread that makes every ptrace request, threads that wait, and plans that tie the two together."""
