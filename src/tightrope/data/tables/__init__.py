"""Tables: rows of numbers, dates and categories, read, typed, encoded for networks, and written as the file writes them."""
