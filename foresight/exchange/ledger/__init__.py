"""What the two markets remember, as entries, as the sum of entries, and as a file."""
