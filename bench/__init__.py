"""Side-by-side benchmarks: `python -m bench` runs all and writes docs/benchmarks.md."""
