"""Things to experiment on, and with: named threads that run any call on command."""
