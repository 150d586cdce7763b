"""Words and values: standard library and msgspec only; no input or output, no threads, no clock."""
