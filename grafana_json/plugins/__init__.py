"""The doors for plugins that speak JSON: SimpleJSON and simPod."""
