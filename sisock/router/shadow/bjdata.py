"""Hides bjdata, a serializer we never offer: its wheel prints a traceback at each start beside numpy 2."""

raise ImportError("hidden from the router: nobody speaks bjdata here")
