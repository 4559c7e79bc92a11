"""What sharing rows does to a model: who meets whom, and how far apart their readers turned."""
