"""Reviews from public sources that need no key: one file for each source, all over one polite client."""
