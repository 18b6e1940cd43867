"""Trees: readers, values, targets and levels."""
