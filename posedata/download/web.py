"""One question to a web server: redirects followed, Google Drive's own question answered, web pages told from files."""

from __future__ import annotations

import http.client
import re
import ssl
import string
from collections.abc import Mapping
from html import unescape
from html.parser import HTMLParser
from http.cookiejar import CookieJar
from pathlib import Path
from typing import cast
from urllib.error import URLError
from urllib.parse import parse_qs, quote, urlencode, urljoin, urlsplit
from urllib.request import HTTPCookieProcessor, HTTPHandler, HTTPSHandler, OpenerDirector, ProxyHandler, Request

from ..errors import PoseError, brief
from ..version import __version__
from .remote import Remote, is_page, is_web

__all__ = ["Broken", "ask", "by_hand"]

HOPS, PAGE, PATIENCE = 10, 256 << 10, 120.0
"""Redirects followed, bytes of a page read, seconds a server may ask us to wait."""
MOVED = (301, 302, 303, 307, 308)
BUSY = (408, 425, 429)
QUOTA = ("quota exceeded", "too many users have viewed or downloaded this file", "download quota")


class Broken(Exception):
    """Worth another try: the connection broke, or the server cannot just now."""

    def __init__(self, why: str, after: float = 0.0) -> None:
        super().__init__(why)
        self.after = after


def ask(remote: Remote, target: Path, headers: Mapping[str, str], timeout: float) -> http.client.HTTPResponse:
    """The answer that holds the file (200), the rest of it (206), or nothing any more (416)."""
    jar, url = CookieJar(), plain(remote.url)
    director = browser(jar)
    for _ in range(HOPS):
        response = opened(director, url, headers, timeout)
        try:
            onward = after(response, url, remote, target, jar)
        except (OSError, http.client.HTTPException) as e:
            response.close()
            raise Broken(in_words(e)) from None
        except BaseException:
            response.close()
            raise
        if not onward:
            return response
        response.close()
        url = onward
    raise PoseError(remote.name, f"sent on {HOPS} times, last to {brief(url, 100)}", by_hand(remote, target))


def browser(jar: CookieJar) -> OpenerDirector:
    """Opens web addresses and nothing else; every status comes back as an answer."""
    director = OpenerDirector()
    director.addheaders = [("User-Agent", f"posebench/{__version__}"), ("Accept", "*/*")]
    for handler in (ProxyHandler(), HTTPHandler(), HTTPSHandler(), HTTPCookieProcessor(jar)):
        director.add_handler(handler)
    return director


def opened(director: OpenerDirector, url: str, headers: Mapping[str, str], timeout: float) -> http.client.HTTPResponse:
    """The server's answer, whatever it is."""
    try:
        return cast(http.client.HTTPResponse, director.open(Request(url, headers=dict(headers)), timeout=timeout))  # noqa: S310  is_web looked at it
    except (http.client.InvalidURL, ValueError) as e:
        raise PoseError(brief(url, 100), f"not a web address ({e})", "check the address") from None
    except (OSError, http.client.HTTPException) as e:
        reason = e.reason if isinstance(e, URLError) else e
        if isinstance(reason, ssl.SSLCertVerificationError):
            raise PoseError(
                brief(url, 100), f"its certificate does not hold ({reason.verify_message})", "check this machine's clock and certificates"
            ) from None
        raise Broken(in_words(reason) + f" at {urlsplit(url).netloc}") from None


def after(response: http.client.HTTPResponse, url: str, remote: Remote, target: Path, jar: CookieJar) -> str:
    """Where to ask next; nothing when this answer is the one."""
    if response.status in MOVED:
        return redirected(url, response.headers.get("Location", ""), remote, target)
    if response.status in (206, 416):
        return ""
    if response.status == 200 and not is_page(response.peek(512), remote.name, response.headers.get("Content-Type", "")):
        return ""
    text = response.read(PAGE).decode("utf-8", "replace")
    onward = past_drive(text, url, remote, target, jar) if is_drive(url) else ""
    if not onward:
        refuse(response, text, url, remote, target)
    return onward


def refuse(response: http.client.HTTPResponse, text: str, url: str, remote: Remote, target: Path) -> None:
    """Say why this answer cannot be used."""
    if response.status in BUSY or response.status >= 500:
        raise Broken(f"{urlsplit(url).netloc} answers {response.status} {response.reason}", waiting(response.headers.get("Retry-After", "")))
    title = re.search(r"<title[^>]*>(.*?)</title>", text, re.DOTALL | re.IGNORECASE)
    called = f" ({brief(' '.join(unescape(title[1]).split()))!r})" if title else ""
    seen = f"a web page came instead of the file{called}" if response.status == 200 else f"the server answers {response.status} {response.reason}"
    raise PoseError(remote.name, f"{seen} at {brief(url, 100)}", by_hand(remote, target))


def redirected(url: str, location: str, remote: Remote, target: Path) -> str:
    """Where a redirect leads; only to the web, and never from https back to http."""
    try:
        onward = plain(urljoin(url, location))
    except ValueError:
        onward = ""
    if not location or not is_web(onward) or (url.startswith("https:") and not onward.startswith("https:")):
        raise PoseError(remote.name, f"the server sends us to {brief(location, 100)!r}, which is not followed", by_hand(remote, target))
    return onward


def plain(url: str) -> str:
    """An address in ASCII: letters beyond it are quoted, what is quoted already stays."""
    return quote(url, safe=string.punctuation)


def by_hand(remote: Remote, target: Path) -> str:
    """The cure when the web does not work."""
    return f"fetch {remote.url} in a browser and put it at {target}"


def waiting(text: str) -> float:
    """Seconds a Retry-After asks for; a date counts as no answer."""
    return min(float(text), PATIENCE) if re.fullmatch(r"\d{1,6}", text.strip()) else 0.0


def in_words(e: object) -> str:
    """An exception of the network as a reader wants it."""
    text = getattr(e, "strerror", None) or str(e) or type(e).__name__
    return brief(str(text).lower())


# Google Drive


class Page(HTMLParser):
    """The form or the link of Drive's question whether a file too large for its virus scan shall come."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.action, self.link = "", ""
        self.hidden: dict[str, str] = {}
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        if tag == "form" and "download" in values.get("id", "") + values.get("action", ""):
            self.action = values.get("action", "")
        elif tag == "input" and self.action and values.get("type") == "hidden":
            self.hidden[values.get("name", "")] = values.get("value", "")
        elif tag == "a" and "confirm=" in values.get("href", ""):
            self.link = values["href"]


def is_drive(url: str) -> bool:
    """Whether an address is a download from Google Drive, wherever that is played."""
    query = parse_qs(urlsplit(url).query)
    return "id" in query and query.get("export") == ["download"]


def past_drive(text: str, url: str, remote: Remote, target: Path, jar: CookieJar) -> str:
    """The address behind Drive's question; nothing when the page asks none."""
    if any(words in text.lower() for words in QUOTA):
        seen = "Google Drive gives it to nobody just now: too many have downloaded it recently (its quota)"
        raise PoseError(remote.name, seen, f"try again in a day, or copy it to a Drive of your own; then {by_hand(remote, target)}")
    page = Page(text)
    cookie = next((c.value for c in jar if c.name.startswith("download_warning")), None)
    if page.action:
        onward = f"{urljoin(url, page.action).split('?')[0]}?{urlencode(page.hidden)}"
    elif page.link:
        onward = urljoin(url, page.link)
    else:
        onward = f"{url.replace('&confirm=t', '')}&confirm={quote(cookie, safe='')}" if cookie else ""
    return onward if onward != url and is_web(onward) and is_googles(onward, url) else ""


def is_googles(onward: str, url: str) -> bool:
    """A page may send us on within its own host, or to Google's."""
    host = urlsplit(onward).hostname or ""
    return host == urlsplit(url).hostname or (onward.startswith("https:") and host.endswith((".google.com", ".googleusercontent.com")))
