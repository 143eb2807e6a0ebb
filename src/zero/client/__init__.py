"""What applications import. Standard library only."""
