"""From evidence to scores: value functions, weights, gates, coverage, intervals. Pure functions over arrays."""
