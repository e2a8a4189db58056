"""Collections that many people have, each recognised by tables and names that only it has."""
