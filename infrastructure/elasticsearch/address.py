"""Where Elasticsearch is and how it is signed in to, read from the settings. What can't work is said in one line that
names the variable, and quotes nothing: these values hold passwords."""

from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import SplitResult, unquote, urlsplit

from infrastructure.settings import Settings, SettingsInvalid

USUAL_PORTS = {"http": 9200, "https": 443}
FORM = "https://host:9200, or several with commas between"


@dataclass(frozen=True, slots=True)
class ApiKey:
    encoded: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Account:
    user: str
    password: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Address:
    """One cluster, by some of its nodes."""

    nodes: tuple[str, ...]
    """Without user and password."""
    credentials: ApiKey | Account | None
    ca_file: Path | None


def address_of(settings: Settings) -> Address:
    """SettingsInvalid for what can't work."""
    if settings.elasticsearch_url is None:
        raise SettingsInvalid(f"no Elasticsearch is known: set ELASTICSEARCH_URL to {FORM}")
    urls = [_parsed(url.strip()) for url in settings.elasticsearch_url.get_secret_value().split(",") if url.strip()]
    if not urls:
        raise SettingsInvalid(f"ELASTICSEARCH_URL names no server: set it to {FORM}")
    if len({url.scheme for url in urls}) > 1:
        raise SettingsInvalid("ELASTICSEARCH_URL mixes http and https: all nodes of a cluster speak the same")
    return Address(tuple(map(_node, urls)), _credentials(settings, urls), _ca_file(settings, urls[0].scheme))


def _parsed(url: str) -> SplitResult:
    try:
        parsed = urlsplit(url)
        port = parsed.port
    except ValueError:
        raise SettingsInvalid(f"ELASTICSEARCH_URL can't be read: set it to {FORM}") from None
    if parsed.scheme not in USUAL_PORTS or not parsed.hostname or port == 0:
        raise SettingsInvalid(f"ELASTICSEARCH_URL can't be used: set it to {FORM}")
    if parsed.query or parsed.fragment:
        raise SettingsInvalid("ELASTICSEARCH_URL can't have `?` or `#`: options are variables of their own")
    return parsed


def _node(url: SplitResult) -> str:
    host = f"[{url.hostname}]" if ":" in (url.hostname or "") else url.hostname
    return f"{url.scheme}://{host}:{url.port or USUAL_PORTS[url.scheme]}{url.path.rstrip('/')}"


def _credentials(settings: Settings, urls: list[SplitResult]) -> ApiKey | Account | None:
    accounts = {(unquote(url.username), unquote(url.password or "")) for url in urls if url.username}
    if len(accounts) > 1:
        raise SettingsInvalid("ELASTICSEARCH_URL has several users: one signs in to all nodes of a cluster")
    if settings.elasticsearch_api_key is not None:
        return ApiKey(_sendable(settings.elasticsearch_api_key.get_secret_value(), "ELASTICSEARCH_API_KEY"))
    if settings.elasticsearch_user is not None:
        if settings.elasticsearch_password is None:
            raise SettingsInvalid("ELASTICSEARCH_USER is set and ELASTICSEARCH_PASSWORD isn't: set both or neither")
        return Account(settings.elasticsearch_user, settings.elasticsearch_password.get_secret_value())
    if settings.elasticsearch_password is not None:
        raise SettingsInvalid("ELASTICSEARCH_PASSWORD is set and ELASTICSEARCH_USER isn't: set both or neither")
    return Account(*accounts.pop()) if accounts else None


def _sendable(key: str, variable: str) -> str:
    if not key.isascii() or not key.isprintable() or " " in key:
        raise SettingsInvalid(f"{variable} can't be used: it has characters that no key has")
    return key


def _ca_file(settings: Settings, scheme: str) -> Path | None:
    file = settings.elasticsearch_ca_file
    if file is None:
        return None
    if scheme != "https":
        raise SettingsInvalid("ELASTICSEARCH_CA_FILE is set and ELASTICSEARCH_URL isn't https: certificates need it")
    if not file.is_file():
        raise SettingsInvalid(f"ELASTICSEARCH_CA_FILE names no file: {file}")
    return file
