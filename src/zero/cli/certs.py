"""``zero certs``: certificates for those who have none."""

import re

import click

from zero.cli import settings_flags
from zero.domain.errors import ConfigurationError, InvalidInput
from zero.settings import Settings

HOSTS = ("localhost", "127.0.0.1", "::1")
_HOST = re.compile(r"(\*\.)?[A-Za-z0-9_]([A-Za-z0-9_.:-]{0,252})")
_CLIENT = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")


@click.command()
@click.option("--host", "hosts", multiple=True, help="Name or address of the server; may be repeated.  [default: this machine]")
@click.option("--client", "clients", multiple=True, metavar="NAME", help="Make a client certificate too; may be repeated.")
@settings_flags("data_dir", "ingest_http")
def certs(settings: Settings, hosts: tuple[str, ...], clients: tuple[str, ...]) -> None:
    """Make a CA, and certificates for servers and clients.

    The CA is made once and signs the others. Run again to renew: listeners take up new files without a restart. Keep ca.key to
    yourself: who has it can pretend to be anybody to those who trust the CA.
    """
    from zero.infrastructure.tls.authority import Authority

    _check(hosts, clients)
    folder = settings.data_dir.absolute() / "tls"
    try:
        settings.data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        authority = Authority(folder)
        server = authority.server(hosts or HOSTS)
        shown = [authority.client(name) for name in clients]
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"cannot make certificates in {folder}: {error}") from error
    ca, url = authority.certificate, f"https://{(hosts or HOSTS)[0]}:{settings.ingest_http.port}"
    click.echo(f"made in {folder}: a certificate for {', '.join(hosts or HOSTS)}, signed by the CA in ca.pem")
    click.echo("serve with it:")
    click.echo(f"  export ZERO_TLS_CERT={server.certificate} ZERO_TLS_KEY={server.key}")
    if shown:
        click.echo(f"  export ZERO_TLS_CLIENT_CA={ca}   # and let nobody in without a certificate of this CA")
    client = f" --client-cert {shown[0].certificate} --client-key {shown[0].key}" if shown else ""
    curl = f" --cert {shown[0].certificate} --key {shown[0].key}" if shown else ""
    click.echo("reach it:")
    click.echo(f"  curl --cacert {ca}{curl} {url}/health")
    click.echo(f"  zero send FILE --url {url} --ca {ca}{client}")


def _check(hosts: tuple[str, ...], clients: tuple[str, ...]) -> None:
    """Refuse names that are no names: some become those of files."""
    for name, form in [*((host, _HOST) for host in hosts), *((client, _CLIENT) for client in clients)]:
        if not form.fullmatch(name):
            raise InvalidInput(f"{name!r} is not a name that a certificate can be made for")
