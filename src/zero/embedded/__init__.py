"""The servers that `zero up` starts when no URL is set."""
