"""Handlers, one family a module; `table.all_commands` merges their tables into the language."""
