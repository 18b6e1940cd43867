"""What all forecasters share: series and their index, differences and scale, intervals, paths."""
