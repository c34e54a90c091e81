"""What provider authors test with."""
