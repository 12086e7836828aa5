"""Releases from git commits, their environments and gates, and the history of deploys."""
