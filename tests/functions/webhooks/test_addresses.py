"""Which URLs can be registered, and which addresses are public, however they are written."""

from collections.abc import Iterator
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis.errors import ValidationFailed
from functions.webhooks import addresses
from tests.functions.webhooks.office import configured

ALLOWED = (
    "https://shop.example",
    "https://shop.example/",
    "https://shop.example?a=b",
    "https://shop.example/hooks?a=b&c=/d",
    "HTTPS://SHOP.Example/Hooks",
    "https://shop.example:8443/hooks",
    "https://shop.example:1/hooks",
    "https://shop.example:65535/hooks",
    "https://xn--bcher-kva.example/hooks",
    "https://a-b.c1.example/%40%23",
    "https://shop.example/a@b:c",
    "https://intranet/hooks",  # what it leads to is seen when it is resolved
    "https://localhost.example/hooks",
    "https://mylocalhost/hooks",
    "https://1.example/hooks",
    "https://0x7f.example/hooks",
    "https://8.8.8.8/hooks",
    "https://[2606:4700:4700::1111]/hooks",
    "https://[2606:4700:4700::1111]:8443/hooks",
    "https://[::ffff:8.8.8.8]/hooks",
    "https://[64:ff9b::808:808]/hooks",
)
LOOPBACK = (
    "http://127.0.0.1:8080/hooks",
    "http://127.1.2.3/hooks",
    "http://localhost:8080/hooks",
    "http://shop.localhost/hooks",
    "http://LOCALHOST/hooks",
    "http://[::1]:8080/hooks",
    "http://[::ffff:127.0.0.1]/hooks",
    "https://127.0.0.1/hooks",
    "https://localhost/hooks",
)
REFUSED = (
    *("", "shop.example", "//shop.example/hooks", "/hooks", "https:shop.example", "https:/shop.example"),
    *("http://shop.example/hooks", "ftp://shop.example", "file:///etc/passwd", "gopher://shop.example:70/_x"),
    *("javascript://shop.example/%0aalert(1)", "ws://shop.example/", "https+x://shop.example/"),
    *("https://", "https:///hooks", "https://:443/", "https://?a", "https://.", "https://..", "https://-/"),
    *("https://user@shop.example/", "https://user:secret@shop.example/", "https://@shop.example/"),
    *("https://shop.example@10.0.0.1/", "https://shop.example%40x/", "https://shop.example\\@10.0.0.1/"),
    *("https://shop.example/#top", "https://shop.example/hooks#", "https://10.0.0.1#shop.example"),
    *("https://shop.example:0/", "https://shop.example:65536/", "https://shop.example:/", "https://a:1:2/"),
    *("https://shop.example:x/", "https://shop.example:-1/", "https://shop.example:000443/"),
    *("https://shop..example/", "https://.shop.example/", "https://shop.example./", "https://-shop.example/"),
    *("https://shop-.example/", "https://sh_op.example/", f"https://{'a' * 64}.example/"),
    f"https://{'a.' * 130}example/",
    *("https://b\u00fccher.example/", "https://shop.example/\u00e9", "https://shop\u3002example/"),
    *(
        "https://shop.example/a b",
        "https://shop.example/\n",
        " https://shop.example/",
        "https://sh\top.example/",
    ),
    *("https://shop%2eexample/", "https://127%2e0%2e0%2e1/", "https://\u2460.\u2461.\u2462.\u2463/"),
    # Addresses that are not public.
    *("https://10.0.0.1/", "https://172.16.0.1/", "https://192.168.0.1/", "https://169.254.169.254/latest/"),
    *("https://100.64.0.1/", "https://100.100.100.200/", "https://168.63.129.16/", "https://0.0.0.0/"),
    *("https://255.255.255.255/", "https://224.0.0.1/", "https://198.18.0.1/", "https://192.0.2.1/"),
    *("https://[::]/", "https://[fe80::1]/", "https://[fc00::1]/", "https://[fd00:ec2::254]/"),
    *("https://[::ffff:10.0.0.1]/", "https://[::ffff:a00:1]/", "https://[::10.0.0.1]/", "https://[fec0::1]/"),
    *(
        "https://[64:ff9b::a00:1]/",
        "https://[64:ff9b:1::1]/",
        "https://[2002:a00:1::]/",
        "https://[2001::1]/",
    ),
    *("https://[2001:db8::1]/", "https://[3fff::1]/", "https://[ff02::1]/", "https://[100::1]/"),
    # No address of these is written as one address alone is.
    *(
        "https://2130706433/",
        "https://0x7f000001/",
        "https://017700000001/",
        "https://0/",
        "https://4294967296/",
    ),
    *("https://127.1/", "https://127.0.1/", "https://0x7f.1/", "https://0177.0.0.1/", "https://10.0.0.010/"),
    *(
        "https://0x7f.0x0.0x0.0x1/",
        "https://127.0.0.1./",
        "https://1.2.3.4.5/",
        "https://1.2.3/",
        "https://8/",
    ),
    *(
        "https://8.8.8.08/",
        "https://256.1.1.1/",
        "https://shop.example.1/",
        "https://shop.0x/",
        "https://a.0xff/",
    ),
    *("https://[fe80::1%25eth0]/", "https://[fe80::1%eth0]/", "https://[2606:4700::1%1]/", "https://[::1/"),
    *("https://[127.0.0.1]/", "https://[shop.example]/", "https://[]/", "https://::1/", "https://[[::1]]/"),
    *("https://[::1]x/", "https://[2606:4700::1]8443/", "https://[v1.x]/"),
)

PUBLIC = (
    *("1.1.1.1", "8.8.8.8", "9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0", "126.255.255.255"),
    *("128.0.0.0", "169.253.255.255", "169.255.0.0", "172.15.255.255", "172.32.0.0", "192.0.1.0"),
    *("192.167.255.255", "192.169.0.0", "198.17.255.255", "198.20.0.0", "223.255.255.255", "168.63.129.17"),
    *("2606:4700:4700::1111", "2a00:1450:4001::200e", "2400:cb00::1", "2001:200::1", "2001:4860:4860::8888"),
    *("::ffff:1.1.1.1", "64:ff9b::1.1.1.1"),
)
NOT_PUBLIC = (
    *(str(IPv4Address(0)), "0.255.255.255", "10.0.0.0", "10.255.255.255", "100.64.0.0", "100.127.255.255"),
    *("100.100.100.200", "127.0.0.1", "127.255.255.255", "168.63.129.16", "169.254.0.0", "169.254.169.254"),
    *(
        "169.254.170.2",
        "172.16.0.0",
        "172.31.255.255",
        "192.0.0.1",
        "192.0.0.192",
        "192.0.2.1",
        "192.88.99.1",
    ),
    *("192.168.0.0", "192.168.255.255", "198.18.0.0", "198.19.255.255", "198.51.100.1", "203.0.113.1"),
    *("224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.255"),
    *(
        "::",
        "::1",
        "::7f00:1",
        "::ffff:127.0.0.1",
        "::ffff:169.254.169.254",
        "::ffff:0:10.0.0.1",
        "::8.8.8.8",
    ),
    *("64:ff9b::10.0.0.1", "64:ff9b::169.254.169.254", "64:ff9b:1::8.8.8.8", "64:ff9b:1:fffe::1"),
    *("100::1", "100:0:0:1::1", "2001::1", "2001:0:4136:e378:8000:63bf:3fff:fdd2", "2001:2::1", "2001:10::1"),
    *("2001:20::1", "2001:1ff::1", "2001:db8::1", "2002:7f00:1::", "2002:808:808::1", "2620:4f:8000::1"),
    *("3fff::1", "3fff:fff::1", "4000::1", "5f00::1", "fc00::1", "fd00:ec2::254", "fdff::1", "fe80::1"),
    *("fe80::1%eth0", "2606:4700:4700::1111%1", "::ffff:8.8.8.8%1", "fec0::1", "ff02::1", "ffff::1"),
)
SPECIAL_IPV4 = [
    IPv4Network(block)
    for block in (
        *("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12"),
        *("192.0.0.0/24", "192.0.2.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24"),
        *("203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4", "168.63.129.16/32"),
    )
]
SPECIAL_IPV6 = [
    IPv6Network(block)
    for block in (
        *("::/128", "::1/128", "::/96", "64:ff9b:1::/48", "100::/64", "2001::/32", "2001:2::/48"),
        *("2001:db8::/32", "2002::/16", "3fff::/20", "5f00::/16", "fc00::/7", "fe80::/10", "fec0::/10"),
        "ff00::/8",
    )
]


@pytest.fixture(autouse=True, scope="module")
def _configured() -> Iterator[None]:
    with configured(allow_loopback=False):
        yield


def is_refused(url: str) -> bool:
    try:
        addresses.check_url(url)
    except ValidationFailed as refusal:
        (fault,) = refusal.faults
        assert (fault.place, fault.pointer) == ("body", "/url")
        return True
    return False


@pytest.mark.parametrize("url", ALLOWED)
def test_these_can_be_registered(url: str) -> None:
    addresses.check_url(url)


@pytest.mark.parametrize("url", REFUSED)
def test_these_cannot(url: str) -> None:
    assert is_refused(url)
    with configured(allow_loopback=True):
        assert is_refused(url)


@pytest.mark.parametrize("url", LOOPBACK)
def test_this_machine_is_one_only_where_that_is_allowed(url: str) -> None:
    assert is_refused(url)
    with configured(allow_loopback=True):
        addresses.check_url(url)


def test_what_is_wrong_is_said() -> None:
    for url, word in (
        ("http://shop.example/", "https://"),
        ("https://a@shop.example/", "credentials"),
        ("https://shop.example/#a", "fragment"),
        ("https://shop.example:99999/", "port"),
        ("https://10.0.0.1/", "not public"),
        ("https://0x7f.1/", "four decimal numbers"),
        ("https://[fe80::1%eth0]/", "zone"),
    ):
        with pytest.raises(ValidationFailed, match=word):
            addresses.check_url(url)


def test_a_url_is_read_once_for_all_who_use_its_parts() -> None:
    read = addresses.target_of("https://[2606:4700:4700::1111]:8443?a=b")
    assert (read.host, read.port, read.path) == ("2606:4700:4700::1111", 8443, "/?a=b")
    assert read.authority == "[2606:4700:4700::1111]:8443"
    assert addresses.target_of("HTTPS://Shop.Example/A").authority == "shop.example"
    assert addresses.target_of("https://shop.example:443/").authority == "shop.example"


@pytest.mark.parametrize("text", PUBLIC)
def test_these_are_public(text: str) -> None:
    assert addresses.is_public(ip_address(text))


@pytest.mark.parametrize("text", NOT_PUBLIC)
def test_these_are_not(text: str) -> None:
    assert not addresses.is_public(ip_address(text))


def within(block: IPv4Network | IPv6Network) -> st.SearchStrategy[int]:
    return st.integers(int(block.network_address), int(block.broadcast_address))


def notations(address: IPv4Address) -> list[str]:
    """The ways to write an IPv4 address that some resolver or other understands."""
    a, b, c, d = address.packed
    number = int(address)
    return [
        *(f"{number}", f"{number:#x}", f"0{number:o}", f"{number:#x}".upper()),
        *(f"{a}.{b}.{c}.{d}", f"{a:#x}.{b:#x}.{c:#x}.{d:#x}", f"0{a:o}.0{b:o}.0{c:o}.0{d:o}"),
        *(f"{a}.{b}.{c * 256 + d}", f"{a}.{(b * 256 + c) * 256 + d}", f"{a:#x}.{number & 0xFFFFFF}"),
        *(f"0{a}.{b}.{c}.{d}" if a else f"00.{b}.{c}.{d}", f"{a}.{b}.{c}.{d}.", f"{a}.{b}.{c}.{d:#x}"),
        *(f"[::ffff:{address}]", f"[::ffff:{number >> 16:x}:{number & 0xFFFF:x}]", f"[::{address}]"),
        *(
            f"[64:ff9b::{address}]",
            f"[2002:{number >> 16:x}:{number & 0xFFFF:x}::1]",
            f"[64:ff9b:1::{address}]",
        ),
    ]


@given(st.sampled_from(SPECIAL_IPV4).flatmap(within))
def test_no_special_ipv4_address_gets_through_in_any_notation(number: int) -> None:
    address = IPv4Address(number)
    assert not addresses.is_public(address)
    for written in notations(address):
        assert is_refused(f"https://{written}/"), written


@given(st.sampled_from(SPECIAL_IPV6).flatmap(within))
def test_no_special_ipv6_address_gets_through_in_any_notation(number: int) -> None:
    address = IPv6Address(number)
    assert not addresses.is_public(address)
    for written in (address.compressed, address.exploded, address.compressed.upper()):
        assert is_refused(f"https://[{written}]/"), written


@given(st.sampled_from(SPECIAL_IPV4).flatmap(within), within(IPv6Network("2002::/16")))
def test_what_embeds_a_special_address_is_none_either(number: int, tunnel: int) -> None:
    embedding = [0xFFFF << 32 | number, number, 0x64FF9B << 96 | number, 0x2002 << 112 | number << 80]
    teredo = 0x20010000 << 96 | (number ^ 0xFFFFFFFF)
    for each in (*embedding, teredo, 0x20010000 << 96 | number << 64, tunnel):
        assert not addresses.is_public(IPv6Address(each))


@given(st.integers(0, 2**32 - 1))
def test_only_what_python_calls_global_is_public(number: int) -> None:
    # The reverse does not hold, and differs between releases of Python.
    address = IPv4Address(number)
    assert address.is_global or not addresses.is_public(address)


@given(st.text(min_size=1, max_size=40))
def test_whatever_is_typed_is_a_refusal_or_a_url(text: str) -> None:
    is_refused(text)
    is_refused(f"https://{text}")
    is_refused(f"https://shop.example{text}")
