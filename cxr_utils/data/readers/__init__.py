"""From a folder to what it holds: one walk, tables, class folders; `recognition` says in what order."""
