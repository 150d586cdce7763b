"""The language of the prompt: grammar, parameter types, command table, completion, reference.  It knows no command."""
