"""A folder that comes first on the router's path: what lies here hides packages that do not suit it."""
