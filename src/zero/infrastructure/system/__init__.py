"""What the operating system knows: the time, and what our processes take of the machine."""
