"""The log and its lines on disk."""
