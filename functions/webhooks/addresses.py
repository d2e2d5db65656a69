"""Where webhooks may go: which URLs can be registered, and which addresses are connected to."""

import re
from dataclasses import dataclass
from ipaddress import AddressValueError, IPv4Address, IPv4Network, IPv6Address, IPv6Network

from chassis.config import settings
from chassis.errors import ValidationFailed

Address = IPv4Address | IPv6Address

# Not `ipaddress.is_global`: what that says of 192.0.0.0/24, of 64:ff9b:1::/48, of 3fff::/20 and of mapped
# addresses differs between releases of Python 3.11. These are all blocks of the IANA IPv4 Special-Purpose
# Address Registry (RFC 6890), whether they are globally reachable or not: nobody serves webhooks from them.
_SPECIAL_IPV4 = tuple(
    IPv4Network(block)
    for block in (
        "0.0.0.0/8",  # this network
        "10.0.0.0/8",  # private
        "100.64.0.0/10",  # carrier-grade NAT; 100.100.100.200 is the metadata service of Alibaba Cloud
        "127.0.0.0/8",  # loopback
        "169.254.0.0/16",  # link-local; 169.254.169.254 is the metadata service of most clouds
        "172.16.0.0/12",  # private
        "192.0.0.0/24",  # IETF protocol assignments; 192.0.0.192 is a metadata service of Oracle Cloud
        "192.0.2.0/24",  # documentation
        "192.31.196.0/24",  # AS112
        "192.52.193.0/24",  # AMT
        "192.88.99.0/24",  # 6to4 relays
        "192.168.0.0/16",  # private
        "192.175.48.0/24",  # AS112
        "198.18.0.0/15",  # benchmarking
        "198.51.100.0/24",  # documentation
        "203.0.113.0/24",  # documentation
        "224.0.0.0/4",  # multicast (IPv4 Multicast Address Space Registry)
        "240.0.0.0/4",  # reserved, and broadcast
        "168.63.129.16/32",  # in no registry: the platform's own services, inside every network of Azure
    )
)
# IANA assigns global unicast addresses from this block alone (Internet Protocol Version 6 Address Space):
# what lies outside is loopback, link-local, unique local (fd00:ec2::254, the metadata service of AWS),
# site-local, multicast, discard-only, IPv4-compatible, 64:ff9b:1::/48, or not assigned.
_GLOBAL_UNICAST = IPv6Network("2000::/3")
# The blocks of the IANA IPv6 Special-Purpose Address Registry inside it. Teredo (in 2001::/23) and 6to4 are
# refused whatever IPv4 address they embed: both are tunnels, and both are deprecated.
_SPECIAL_IPV6 = tuple(
    IPv6Network(block)
    for block in (
        "2001::/23",  # IETF protocol assignments: Teredo, benchmarking, AMT, ORCHID, AS112
        "2001:db8::/32",  # documentation
        "2002::/16",  # 6to4
        "2620:4f:8000::/48",  # AS112
        "3fff::/20",  # documentation
    )
)
# By these a host that has IPv4 alone is reached over IPv6: they are judged by the address that they embed.
_EMBEDDING = (
    IPv6Network("::ffff:0:0/96"),  # IPv4-mapped
    IPv6Network("64:ff9b::/96"),  # NAT64 (RFC 6052), as DNS64 makes it up
)
_LOOPBACK = (IPv4Network("127.0.0.0/8"), IPv6Network("::1/128"))

_URL = re.compile(
    r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*)://(?P<authority>[^/?#]*)(?P<target>[^#]*)(?P<rest>.*)"
)
_AUTHORITY = re.compile(r"(?P<host>\[[^\[\]]*\]|[^:\[\]]*)(?::(?P<port>[0-9]{1,5}))?")
_CHARACTERS = re.compile(r"[!-\[\]-~]+")
"""Visible ASCII, without the backslash that some readers of URLs take for a slash."""
_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")
"""A name that ends so is an IPv4 address to somebody (URL Standard, "ends in a number checker")."""
MAX_NAME_LENGTH = 253
MAX_PORT = 65535
_PORTS = {"https": 443, "http": 80}


@dataclass(frozen=True, slots=True)
class Target:
    """A URL that may be sent to, read once for all who need a part of it."""

    scheme: str
    host: str
    """In lower case; an IPv6 address without its brackets."""
    port: int
    path: str
    """With the query."""

    @property
    def literal(self) -> Address | None:
        """The address that stands in the place of a name."""
        return _literal(self.host)

    @property
    def authority(self) -> str:
        """What the header Host says."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _PORTS[self.scheme] else f"{host}:{self.port}"

    def may_lead_to(self, address: Address) -> bool:
        """Whether a connection for this URL may be made to that address."""
        if is_loopback(address):
            return settings().webhook_allow_loopback
        return self.scheme == "https" and is_public(address)


def check_url(url: str) -> None:
    """Raise ValidationFailed for what webhooks are never sent to, as far as the URL alone tells."""
    target_of(url)


def target_of(url: str) -> Target:
    """The parts of a URL. Raises ValidationFailed for one that check_url refuses."""
    found = _URL.fullmatch(url) if _CHARACTERS.fullmatch(url) else None
    if found is None:
        raise _refusal("is no URL such as https://shop.example/webhooks (a name in its xn-- form)")
    if found["rest"]:
        raise _refusal("must have no fragment (#)")
    if "@" in found["authority"]:
        raise _refusal("must have no credentials (@)")
    scheme = found["scheme"].lower()
    if scheme not in _PORTS:
        raise _refusal("must begin with https://")
    host, port = _host_and_port(found["authority"], scheme)
    path = found["target"]
    target = Target(scheme, host, port, path if path.startswith("/") else f"/{path}")
    _check_place(target)
    return target


def _host_and_port(authority: str, scheme: str) -> tuple[str, int]:
    parts = _AUTHORITY.fullmatch(authority)
    port = int(parts["port"] or _PORTS[scheme]) if parts else 0
    if parts is None or not 1 <= port <= MAX_PORT:
        raise _refusal(f"must have a host, and no port other than 1 to {MAX_PORT}")
    host = parts["host"].lower()
    if host.startswith("["):
        return _ipv6(host[1:-1]), port
    labels = host.split(".")
    if len(host) > MAX_NAME_LENGTH or not all(map(_LABEL.fullmatch, labels)):
        raise _refusal("must have a host: a name of letters, digits and hyphens, or an address")
    if _NUMBER.fullmatch(labels[-1]) and _literal(host) is None:
        raise _refusal("an IPv4 address is written as four decimal numbers, without leading zeros")
    return host, port


def _ipv6(text: str) -> str:
    try:
        address = IPv6Address(text)
    except AddressValueError:
        raise _refusal("has no IPv6 address between its brackets") from None
    if address.scope_id is not None:
        raise _refusal("an IPv6 address must have no zone (%)")
    return str(address)


def _check_place(target: Target) -> None:
    address = target.literal
    is_local_name = target.host == "localhost" or target.host.endswith(".localhost")
    if is_local_name or (address is not None and is_loopback(address)):
        if not settings().webhook_allow_loopback:
            raise _refusal("leads to this machine itself")
    elif target.scheme != "https":
        raise _refusal("must begin with https://")
    elif address is not None and not is_public(address):
        raise _refusal("leads to an address that is not public")


def _refusal(message: str) -> ValidationFailed:
    return ValidationFailed.of("body", "/url", message)


def _literal(host: str) -> Address | None:
    """The address that a host is in its one form, which for IPv4 is four decimal numbers."""
    try:
        return IPv6Address(host) if ":" in host else IPv4Address(host)
    except AddressValueError:
        return None


def is_public(address: Address) -> bool:
    """Whether the address is one of the public internet, where anybody may have a server."""
    if isinstance(address, IPv6Address) and address.scope_id is not None:
        return False
    address = _embedded(address)
    if isinstance(address, IPv4Address):
        return not any(address in block for block in _SPECIAL_IPV4)
    return address in _GLOBAL_UNICAST and not any(address in block for block in _SPECIAL_IPV6)


def is_loopback(address: Address) -> bool:
    """Whether the address is this machine itself."""
    if isinstance(address, IPv6Address):
        address = address.ipv4_mapped or address
    return any(address in block for block in _LOOPBACK if block.version == address.version)


def _embedded(address: Address) -> Address:
    """The IPv4 address that is meant, where one is."""
    if isinstance(address, IPv6Address) and any(address in block for block in _EMBEDDING):
        return IPv4Address(int(address) & 0xFFFF_FFFF)
    return address
