"""An outside witness of our own ptrace, wait4 and waitid calls, and the comparison with our log."""
