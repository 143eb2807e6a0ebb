"""What the platform does, told in terms of ports. Standard library only."""
