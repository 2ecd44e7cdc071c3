"""What is known about vendors and how it is kept: observations, claims, the store."""
