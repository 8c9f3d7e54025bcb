"""What backs the numbers in the README: `python -m benchmarks`, see docs/benchmarks.md."""
