"""The page and its HTTP face."""
