"""Where a project stands: what is done, what runs and how far, what would run again and why, what takes the room."""
