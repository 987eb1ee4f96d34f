"""Who may come in: the token, where a session is found, and what foreign pages are refused."""

from __future__ import annotations

import os
import secrets
import stat
from collections.abc import Mapping
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import urlsplit

import msgspec

from tradewind.config import Control
from tradewind.errors import TradewindError, exception

ADDRESS_FILE = "control.json"
TOKEN_FILE = "control.token"

_OTHERS = stat.S_IRWXG | stat.S_IRWXO


class Address(msgspec.Struct, frozen=True):
    """Where a running session listens, as it says in the folder of its run."""

    url: str
    token_file: str
    pid: int

    @classmethod
    def of(cls, folder: Path) -> Address:
        """The address of the session of a run."""
        path = folder / ADDRESS_FILE
        if not folder.is_dir():
            hint = "name the folder of a run, such as runs/NAME/paper"
            raise exception("not_running", f"there is no folder {folder}", hint)
        try:
            return msgspec.json.decode(path.read_bytes(), type=cls)
        except FileNotFoundError:
            mode = "live" if folder.name == "live" else "paper"
            hint = f"start it: tradewind run system.toml --mode {mode}"
            raise exception("not_running", f"no session runs in {folder}", hint) from None
        except (OSError, msgspec.DecodeError) as error:
            raise exception("unreadable_file", f"{path} cannot be read: {error}") from error

    @property
    def token(self) -> str:
        """The token that callers show."""
        return read_token(Path(self.token_file))


class Door:
    """The token of a session and the files that tell of it, for as long as it runs.

    Parameters
    ----------
    settings
        The ``[control]`` of the system.
    folder
        The folder of the run.
    stated
        The token's file, where the system names one.

    """

    def __init__(self, settings: Control, folder: Path, stated: Path | None) -> None:
        self._settings = settings
        self._address = folder / ADDRESS_FILE
        self._stated = stated
        self._file = (stated or folder / TOKEN_FILE).absolute()
        self._token = ""
        self._hosts: set[str] = set()

    def open(self, port: int) -> str:
        """Write the files; gives the URL."""
        if self._stated is not None and self._file.exists():
            self._token = read_token(self._file)
        else:
            self._token = secrets.token_urlsafe(32)
            write_owned(self._file, self._token + "\n")
        host = self._settings.host
        url = f"http://{_reachable(host)}:{port}"
        self._hosts = {f"{name}:{port}" for name in ("127.0.0.1", "localhost", "[::1]", _bracketed(host))}
        address = Address(url, str(self._file), os.getpid())
        write_owned(self._address, msgspec.json.encode(address).decode() + "\n")
        return url

    def close(self) -> None:
        """Take the files away; a token that the system file names stays."""
        self._address.unlink(missing_ok=True)
        if self._stated is None:
            self._file.unlink(missing_ok=True)

    def refusal(self, headers: Mapping[str, str]) -> tuple[int, TradewindError] | None:
        """Why a request does not come in, with the status of HTTP; None where it does."""
        host, origin = headers.get("Host", ""), headers.get("Origin")
        # A foreign page can make a browser on this machine send requests here, under a name of its own, too.
        if not self._is_any_host and host not in self._hosts:
            return 403, exception("not_allowed", f"the request is for the host {host!r}, which this is not")
        if origin is not None and _host_of(origin) not in self._hosts:
            return 403, exception("not_allowed", f"the request comes from the page {origin!r}")
        if headers.get("Sec-Fetch-Site", "none") not in ("none", "same-origin"):
            return 403, exception("not_allowed", "the request comes from a foreign page")
        shown = headers.get("Authorization", "")
        if not secrets.compare_digest(shown.encode(errors="replace"), f"Bearer {self._token}".encode()):
            hint = "send Authorization: Bearer and the token, which is in the folder of the run"
            return 401, exception("not_allowed", "the token is missing or wrong", hint)
        return None

    @property
    def _is_any_host(self) -> bool:
        """Whether it listens on every address, so that its names are not known."""
        return self._settings.allow_remote and self._settings.host in ("0.0.0.0", "::")


def read_token(path: Path) -> str:
    """Read a token from a file that only its owner can read."""
    try:
        mode = path.stat().st_mode
        token = path.read_text(encoding="ascii").strip()
    except FileNotFoundError:
        hint = "a session that has ended takes its token away"
        raise exception("not_running", f"there is no token in {path}", hint) from None
    except (OSError, UnicodeDecodeError) as error:
        raise exception("unreadable_file", f"{path} cannot be read: {error}") from error
    if mode & _OTHERS:
        raise exception("bad_credentials", f"others can read the token in {path}", f"chmod 600 {path}")
    if len(token) < 16:
        hint = "make one: python -c 'import secrets; print(secrets.token_urlsafe(32))'"
        raise exception("bad_credentials", f"the token in {path} has under 16 characters", hint)
    return token


def write_owned(path: Path, text: str) -> None:
    """Write a file that only its owner can read, all of it or nothing."""
    fresh = path.with_name(path.name + ".new")
    fresh.unlink(missing_ok=True)
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as out:
        out.write(text)
    fresh.replace(path)


def _host_of(origin: str) -> str:
    """The host and port of a page; none where it is no address."""
    try:
        return urlsplit(origin).netloc
    except ValueError:
        return ""


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _reachable(host: str) -> str:
    """The name by which this machine reaches itself."""
    try:
        is_any = ip_address(host).is_unspecified
    except ValueError:
        is_any = False
    return "127.0.0.1" if is_any else _bracketed(host)
