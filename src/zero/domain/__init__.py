"""What is true about logs, whatever stores or carries them. Standard library only."""
