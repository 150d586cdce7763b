"""Facts about the kernel that the tracer leans on, one small test each; no import of the product."""
