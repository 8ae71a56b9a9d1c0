"""The data nodes that sisock brings along, a folder each."""
