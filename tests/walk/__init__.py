"""Walkthroughs: the page format, the engine, and the front ends that test and report."""
