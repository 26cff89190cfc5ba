"""What the benchmarks share; nothing here is one itself."""
