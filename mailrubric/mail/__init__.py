"""Real messages: what they show of the platform that sent them, one by one and over weeks."""
