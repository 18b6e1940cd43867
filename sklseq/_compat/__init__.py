"""Private names of the libraries below, one file for each library."""
