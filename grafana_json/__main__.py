"""`python -m grafana_json`: the bridge, served."""

import sys

from grafana_json.server import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
