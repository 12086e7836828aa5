"""The `foresight` command: one file per group of commands, each command a short function."""
