"""What a team finds out by hand: trials, surveys and tickets, kept as files in the workspace's ``trials/``."""
