"""Walkthroughs: Markdown pages that are lessons and tests at once, and everything that plays them."""
