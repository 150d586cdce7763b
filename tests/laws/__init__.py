"""Laws of the source tree, checked by reading it."""
