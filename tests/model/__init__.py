"""Values: status words."""
