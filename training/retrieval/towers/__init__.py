"""Two towers over collisionless tables: a user's features and an item's, each to a vector."""
