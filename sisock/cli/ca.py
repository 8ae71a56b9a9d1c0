"""`sisock ca`: a certificate authority of one's own, for the router's TLS listeners."""

import click

from sisock.cli.failures import Sentences
from sisock.cli.options import with_settings
from sisock.settings import Settings


@click.group(cls=Sentences)
def ca() -> None:
    """Make, renew and show the certificate authority in the state directory.

    A router with --tls-port makes it by itself, and renews its own certificate when two thirds of its life are over.

      sisock ca init
      sisock ca show
    """


@ca.command()
@click.option("--name", default="sisock", show_default=True, help="What its certificates are called.")
@with_settings("state")
def init(settings: Settings, name: str) -> None:
    """Make the authority, or renew its issuing certificate where that is due (after three years).

    Take root.key away afterwards, to a medium that lies in a drawer: it is needed only for the next renewal.

      sisock ca init --name "Lab 3"
      mv ~/.local/state/sisock/ca/root.key /media/stick/
    """
    from sisock.keys.authority import Authority

    authority = Authority(settings.state / "ca")
    made = authority.ensure(name)
    click.echo(f"{'made' if made else 'there already, and good'}: {authority.folder}")
    click.echo(f"fingerprint {authority.fingerprint}")
    if authority.root_key.is_file():
        click.echo(f"take {authority.root_key} to a safe place: nobody needs it before the next renewal")


@ca.command()
@with_settings("state")
def show(settings: Settings) -> None:
    """Show the certificates, until when they are good, and the fingerprint of the root.

    Browsers and existing programs have to trust ca/root.pem of the state directory.

      sisock ca show
    """
    from cryptography import x509

    from sisock.keys.authority import Authority, due

    authority = Authority(settings.state / "ca")
    click.echo(f"fingerprint {authority.fingerprint}")
    for path in (authority.root, authority.issuing, settings.state / "tls" / "router.pem"):
        if not path.is_file():
            click.echo(f"–   {path}: not made yet")
            continue
        made = x509.load_pem_x509_certificate(path.read_bytes())
        mark = "!!" if due(made) else "ok"
        click.echo(f"{mark}  {path}: {made.subject.rfc4514_string()}, until {made.not_valid_after_utc:%Y-%m-%d}")
