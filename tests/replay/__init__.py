"""A recording played again, forward and back."""
