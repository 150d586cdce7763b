"""Pure parts of the tracer: the lifecycle table, the meaning of a stop, plans and replies."""
