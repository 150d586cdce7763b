"""The only package that makes system calls on tracees and children."""
