"""A run -> one HTML file."""
