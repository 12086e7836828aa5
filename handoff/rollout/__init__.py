"""A deploy: its phases as a table, and what drives them."""
