"""Events and values become text.  No terminal, no prompt, and nothing but the model and the log below."""
