"""The only package that makes system calls on tracees and children, and the readers of /proc beside them."""
