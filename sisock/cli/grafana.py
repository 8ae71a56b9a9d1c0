"""`sisock grafana`: what Grafana is given: its data sources and dashboards, and samples as they come."""

import click

from sisock.cli.failures import Sentences
from sisock.cli.provision import provision
from sisock.cli.push import push


@click.group(cls=Sentences)
def grafana() -> None:
    """Give Grafana what it needs to show everything.

    docs/grafana.md says which door of the bridge is for which Grafana, and what its errors mean.

      sisock grafana provision /etc/grafana/provisioning
      sisock grafana push http://127.0.0.1:3000 --token-file grafana.token
    """


grafana.add_command(provision)
grafana.add_command(push)
