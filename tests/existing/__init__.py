"""Programs as they exist in the field: Twisted, WAMP-CRA, JSON, lists, blocking handlers."""
