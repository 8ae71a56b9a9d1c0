"""Where samples also go: services of others."""
