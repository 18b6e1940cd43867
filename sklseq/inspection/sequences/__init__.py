"""What predictions of sequences owe to their steps and features."""
