"""Endpoints are reached at addresses that were checked, and in time, whatever they or a name server do."""

import asyncio
import gc
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpcore
import pytest

from functions.webhooks import gateway
from functions.webhooks.gateway import Letter
from functions.webhooks.records import Outcome
from functions.webhooks.shapes import Failure
from local.ports import LOOPBACK, free_port
from tests import receiver as acts
from tests.functions.webhooks.certificates import Authority
from tests.functions.webhooks.office import configured
from tests.functions.webhooks.test_addresses import NOT_PUBLIC
from tests.listening import answer, listening, saying
from tests.receiver import Receiver, receiving

PUBLIC, OTHER = "93.184.215.14", "2606:4700:4700::1111"
PATIENCE = 5.0
SHORT = 0.3


@pytest.fixture(autouse=True, scope="module")
def _configured() -> Iterator[None]:
    with configured(allow_loopback=True):
        yield


@pytest.fixture
def internet_only() -> Iterator[None]:
    with configured(allow_loopback=False):
        yield


class Net:
    """What names lead to, and a way to the receiver from every address that anybody connects to."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.names: dict[str, list[list[str]]] = {}
        """Name -> what each lookup finds, the last one for ever."""
        self.looked_up: list[str] = []
        self.connected: list[str] = []
        self.refuses: set[str] = set()
        self.hangs: set[str] = set()
        self.leads_to = 0
        self._connect = httpcore.AnyIOBackend.connect_tcp
        patch.setattr(gateway, "look_up", self.look_up)

        async def connect_tcp(backend: httpcore.AnyIOBackend, host: str, *asked: Any) -> Any:
            return await self.connect(backend, host, *asked)

        patch.setattr(httpcore.AnyIOBackend, "connect_tcp", connect_tcp)

    def look_up(self, host: str, port: int) -> list[str]:
        self.looked_up.append(host)
        found = self.names.get(host)
        if found is None:
            raise socket.gaierror(socket.EAI_NONAME, "no such name")
        return found.pop(0) if len(found) > 1 else found[0]

    async def connect(self, backend: Any, host: str, port: int, seconds: float, *more: Any) -> Any:
        self.connected.append(host)
        if host in self.refuses:
            raise httpcore.ConnectError
        if host in self.hangs:
            await asyncio.sleep(seconds)
            raise httpcore.ConnectTimeout
        return await self._connect(backend, LOOPBACK, self.leads_to or port, seconds, *more)


@pytest.fixture
def net(monkeypatch: pytest.MonkeyPatch) -> Net:
    return Net(monkeypatch)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="module")
def shop(authority: Authority) -> Iterator[Receiver]:
    """A receiver with a certificate for shop.example."""
    with receiving(authority.server("shop.example")) as running:
        yield running


@pytest.fixture
def trusted(authority: Authority, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gateway, "_tls", authority.trusting)


def post(url: str, seconds: float = PATIENCE) -> Outcome:
    (outcome,) = gateway.post_all([Letter(url, {"webhook-id": "evt_1"}, b'{"a":1}')], seconds)
    assert isinstance(outcome, Outcome), outcome
    return outcome


def failure(url: str, seconds: float = PATIENCE) -> Failure | None:
    return post(url, seconds).failure


def test_what_is_sent(receiver: Receiver) -> None:
    outcome = post(f"{receiver.url}/sent?a=b")
    assert (outcome.response_code, outcome.failure) == (204, None)
    assert 0 <= outcome.duration_ms < PATIENCE * 1000
    (received,) = receiver.at("/sent?a=b")
    assert received.body == b'{"a":1}'
    assert received.headers == {
        "host": f"{LOOPBACK}:{receiver.port}",
        "content-type": "application/json",
        "user-agent": "Tael-Webhooks/1",
        "connection": "close",
        "webhook-id": "evt_1",
        "content-length": "7",
    }


@pytest.mark.usefixtures("internet_only")
@pytest.mark.parametrize("address", NOT_PUBLIC)
def test_a_name_that_leads_to_such_an_address_is_never_connected_to(net: Net, address: str) -> None:
    net.names = {"shop.example": [[address]], "mixed.example": [[PUBLIC, address, OTHER]]}
    assert failure("https://shop.example/") is Failure.ADDRESS
    assert failure("https://mixed.example/") is Failure.ADDRESS
    assert net.connected == []


@pytest.mark.usefixtures("internet_only")
@pytest.mark.parametrize(
    "host", ["127.0.0.1", "10.0.0.1", "169.254.169.254", "[::1]", "2130706433", "localhost"]
)
def test_a_url_that_could_be_registered_once_is_checked_again(net: Net, host: str) -> None:
    for scheme in ("http", "https"):
        assert failure(f"{scheme}://{host}/") is Failure.ADDRESS
    assert (net.looked_up, net.connected) == ([], [])


def test_a_laptop_allows_itself_and_nothing_else_that_is_not_public(net: Net, receiver: Receiver) -> None:
    net.leads_to = receiver.port
    net.names = {
        "localhost": [["::1", "127.0.0.1"], [PUBLIC], ["10.0.0.1"]],
        "shop.example": [["127.0.0.1", "10.0.0.1"], ["169.254.169.254"]],
    }
    assert failure("http://localhost/") is None
    # What is not encrypted does not leave this machine.
    assert [failure("http://localhost/") for _ in range(2)] == [Failure.ADDRESS] * 2
    assert [failure("https://shop.example/") for _ in range(2)] == [Failure.ADDRESS] * 2
    assert net.connected == ["::1"]


@pytest.mark.usefixtures("internet_only", "trusted")
def test_a_name_that_changes_after_it_was_checked_is_not_asked_again(
    net: Net, shop: Receiver, authority: Authority
) -> None:
    net.leads_to = shop.port
    net.names = {"shop.example": [[PUBLIC], ["127.0.0.1"]]}
    authority.asked_for.clear()
    assert post("https://shop.example/rebinding").response_code == 204
    assert (net.looked_up, net.connected) == (["shop.example"], [PUBLIC])
    # Whoever is there is told, and has to prove, the name.
    assert authority.asked_for == ["shop.example"]
    assert shop.at("/rebinding")[0].headers["host"] == "shop.example"
    assert failure("https://shop.example/rebinding") is Failure.ADDRESS
    assert net.connected == [PUBLIC]


@pytest.mark.usefixtures("internet_only", "trusted")
def test_where_one_address_does_not_answer_the_next_one_is_tried(net: Net, shop: Receiver) -> None:
    net.leads_to = shop.port
    net.names = {"shop.example": [[PUBLIC, PUBLIC, OTHER]]}
    net.refuses = {PUBLIC}
    assert failure("https://shop.example/next") is None
    assert net.connected == [PUBLIC, OTHER]
    net.refuses, net.hangs = set(), {PUBLIC}
    assert failure("https://shop.example/next", 1.0) is None
    net.refuses = {PUBLIC, OTHER}
    assert failure("https://shop.example/next") is Failure.CONNECTION
    net.refuses, net.hangs = set(), {PUBLIC, OTHER}
    assert failure("https://shop.example/next", SHORT) is Failure.TIMEOUT


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308, 304])
def test_redirects_are_not_followed(receiver: Receiver, net: Net, status: int) -> None:
    path = f"/redirected/{status}"
    for to in ("http://169.254.169.254/latest/meta-data/", f"{receiver.url}/elsewhere", path):
        receiver.act(path, acts.redirects(to, status))
        outcome = post(receiver.url + path)
        assert (outcome.failure, outcome.response_code) == (Failure.REDIRECT, status)
    assert net.connected == [LOOPBACK] * 3
    assert receiver.at("/elsewhere") == []


def test_no_proxy_of_the_environment_is_used(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    with receiving() as proxy:
        for name in ("http_proxy", "https_proxy", "all_proxy"):
            monkeypatch.setenv(name, proxy.url)
            monkeypatch.setenv(name.upper(), proxy.url)
        monkeypatch.delenv("no_proxy", raising=False)
        monkeypatch.delenv("NO_PROXY", raising=False)
        assert failure(f"{receiver.url}/direct") is None
        assert proxy.received == []


def test_no_cookie_is_kept(receiver: Receiver) -> None:
    receiver.act("/cookie", acts.answers(200, headers={"Set-Cookie": "a=b"}))
    for _ in range(2):
        assert failure(f"{receiver.url}/cookie") is None
    assert all("cookie" not in received.headers for received in receiver.at("/cookie"))


def test_a_certificate_must_be_for_the_name_and_from_an_authority(
    net: Net, shop: Receiver, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    net.names = {name: [[LOOPBACK]] for name in ("shop.example", "other.example")}
    assert failure(f"https://shop.example:{shop.port}/tls") is Failure.TLS  # nobody else trusts the authority
    monkeypatch.setattr(gateway, "_tls", authority.trusting)
    assert failure(f"https://shop.example:{shop.port}/tls") is None
    assert failure(f"https://other.example:{shop.port}/tls") is Failure.TLS
    assert failure(f"https://{LOOPBACK}:{shop.port}/tls") is Failure.TLS
    with receiving(authority.server("other.example", certifies_itself=True)) as own:
        assert failure(f"https://other.example:{own.port}/tls") is Failure.TLS
        assert own.received == []
    assert len(shop.at("/tls")) == 1


def test_who_does_not_speak_tls(receiver: Receiver) -> None:
    with listening(saying(answer("400 No", b"speak plainly"))) as url:
        assert failure(url.replace("http:", "https:")) is Failure.TLS
    with listening(saying(then_wait=True)) as url:
        assert failure(url.replace("http:", "https:"), SHORT) is Failure.TIMEOUT
    with listening(saying()) as url:
        assert failure(url.replace("http:", "https:")) is Failure.TLS


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (200, None),
        (201, None),
        (299, None),
        (400, Failure.STATUS),
        (410, Failure.STATUS),
        (503, Failure.STATUS),
    ],
)
def test_the_status_decides(receiver: Receiver, status: int, expected: Failure | None) -> None:
    receiver.act("/status", acts.answers(status, b"whatever"))
    outcome = post(f"{receiver.url}/status")
    assert (outcome.response_code, outcome.failure) == (status, expected)


def test_what_breaks_or_makes_no_sense_is_a_failed_connection(receiver: Receiver) -> None:
    receiver.act("/lost", acts.closes)
    assert failure(f"{receiver.url}/lost") is Failure.CONNECTION
    assert len(receiver.at("/lost")) == 1
    assert failure(f"http://{LOOPBACK}:{free_port()}/") is Failure.CONNECTION
    for nonsense in (
        b"SSH-2.0-OpenSSH_9\r\n",
        b"HTTP/1.1 200",
        b"HTTP/1.1 999999 No\r\n\r\n",
        b"\r\n" * 70000,
    ):
        with listening(saying(nonsense)) as url:
            assert failure(url) is Failure.CONNECTION


def test_what_does_not_resolve(net: Net) -> None:
    net.names = {"empty.example": [[]]}
    assert failure("https://nothing.example/") is Failure.NAME
    assert failure("https://empty.example/") is Failure.NAME


def test_this_machine_resolves_names() -> None:
    assert LOOPBACK in gateway.look_up("localhost", 80)


@pytest.mark.parametrize(
    "act",
    [
        acts.hangs,
        acts.drips_its_head(),
        acts.says(b"HTTP/1.1 100 Continue\r\n\r\n", pause_seconds=0.01),
        acts.answers(200, after_seconds=1.0),
    ],
    ids=["hangs", "drips", "has us go on", "is late"],
)
def test_it_ends_at_the_deadline(receiver: Receiver, act: acts.Act) -> None:
    receiver.act("/late", act)
    started = time.monotonic()
    outcome = post(f"{receiver.url}/late", SHORT)
    assert (outcome.response_code, outcome.failure) == (None, Failure.TIMEOUT)
    assert SHORT <= time.monotonic() - started < SHORT + 0.6
    assert outcome.duration_ms >= SHORT * 1000
    assert receiver.comes_to(lambda: receiver.open == 0)


@pytest.mark.parametrize(("status", "expected"), [(200, None), (500, Failure.STATUS)])
def test_a_status_that_came_counts_though_the_rest_drips(
    receiver: Receiver, status: int, expected: Failure | None
) -> None:
    receiver.act("/drips", acts.drips_its_body(status))
    outcome = post(f"{receiver.url}/drips", 0.6)
    assert (outcome.response_code, outcome.failure) == (status, expected)
    assert outcome.duration_ms >= 600  # by which it is known to be slow
    assert receiver.comes_to(lambda: receiver.open == 0)


def test_of_a_long_answer_little_is_read(receiver: Receiver) -> None:
    said = 0

    async def talks(caller: acts.Caller) -> None:
        nonlocal said
        await caller.hears(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        while True:
            await caller.hears(b"4000\r\n" + b"x" * 0x4000 + b"\r\n")
            said += 0x4000

    receiver.act("/talks", talks)
    outcome = post(f"{receiver.url}/talks")
    assert (outcome.response_code, outcome.failure) == (200, None)
    assert receiver.comes_to(lambda: receiver.open == 0)
    assert said < 20_000_000  # what the sockets of both sides hold, and not what there would be


@pytest.mark.parametrize(
    ("flood", "status"),
    [
        (b"HTTP/1.1 100 Continue\r\n\r\n", None),
        (b"X: " + b"x" * 1000 + b"\r\n", None),
        (b"1\r\nx\r\n", 200),
    ],
    ids=["interim answers", "head", "parts"],
)
def test_no_flood_keeps_this_process_busy(receiver: Receiver, flood: bytes, status: int | None) -> None:
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n" + (b"\r\n" if status else b"")

    async def floods(caller: acts.Caller) -> None:
        if not flood.startswith(b"HTTP"):
            await caller.hears(head)
        while True:
            await caller.hears(flood * 1000)

    receiver.act("/floods", floods)
    before = time.process_time()
    outcome = post(f"{receiver.url}/floods")
    assert outcome.response_code == status
    assert outcome.failure is (None if status else Failure.CONNECTION)
    assert outcome.duration_ms < 2000
    assert time.process_time() - before < 1.0
    assert receiver.comes_to(lambda: receiver.open == 0)


def test_a_letter_waits_for_no_other(receiver: Receiver) -> None:
    receiver.act("/hangs", acts.hangs)
    letters = [Letter(f"{receiver.url}{path}", {}, b"") for path in ("/hangs", "/well") * 5]
    started = time.monotonic()
    outcomes = gateway.post_all(letters, 0.8)
    assert time.monotonic() - started < 0.8 * 5
    assert [getattr(outcome, "failure", outcome) for outcome in outcomes] == [Failure.TIMEOUT, None] * 5
    assert receiver.most_at_once["/hangs"] == 5
    assert gateway.post_all([], 1.0) == []


def test_a_lookup_that_hangs_holds_up_nobody(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    going_on = threading.Event()
    monkeypatch.setattr(gateway, "_lookups", threading.BoundedSemaphore(2))

    def look_up(host: str, port: int) -> list[str]:
        if host.startswith("hangs"):
            going_on.wait()
        return [LOOPBACK]

    monkeypatch.setattr(gateway, "look_up", look_up)
    hanging = [Letter(f"https://hangs{number}.example/", {}, b"") for number in range(5)]
    well = Letter(f"http://localhost:{receiver.port}/well", {}, b"")
    try:
        outcomes = gateway.post_all([well, hanging[0], well], 0.8)
        assert [getattr(each, "failure", each) for each in outcomes] == [None, Failure.TIMEOUT, None]
        # However many hang, so many threads there are at most, and a literal address needs none of them.
        literal = Letter(f"{receiver.url}/well", {}, b"")
        outcomes = gateway.post_all([*hanging, literal], 0.8)
        assert [getattr(each, "failure", each) for each in outcomes] == [Failure.TIMEOUT] * 5 + [None]
        lookups = [thread for thread in threading.enumerate() if thread.name == "lookup"]
        assert len(lookups) == 2
        assert all(thread.daemon for thread in lookups)
    finally:
        going_on.set()
    for thread in lookups:
        thread.join()
    assert failure(f"http://localhost:{receiver.port}/well") is None


def test_a_defect_of_ours_concerns_its_letter_alone(
    receiver: Receiver, net: Net, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gateway, "look_up", lambda *_: ["no address"])
    letters = [Letter("https://shop.example/", {}, b""), Letter(f"{receiver.url}/well", {}, b"")]
    defect, outcome = gateway.post_all(letters, PATIENCE)
    assert isinstance(defect, ValueError)
    assert isinstance(outcome, Outcome)
    assert outcome.failure is None


@pytest.mark.usefixtures("trusted")
def test_nothing_is_left_behind(receiver: Receiver, shop: Receiver, net: Net) -> None:
    net.names = {"shop.example": [[LOOPBACK]]}
    for number, act in enumerate(
        (
            acts.hangs,
            acts.drips_its_head(),
            acts.drips_its_body(),
            acts.closes,
            acts.answers(500, b"x" * 200_000),
        )
    ):
        for server in (receiver, shop):
            server.act(f"/left/{number}", act)
    tls = f"https://shop.example:{shop.port}"
    with listening(saying(then_wait=True)) as silent:
        urls = [f"{base}/left/{number}" for base in (receiver.url, tls) for number in range(5)]
        urls += [
            silent.replace("http:", "https:"),
            f"http://{LOOPBACK}:{free_port()}/",
            "https://no.example/",
        ]
        gateway.post_all([Letter(url, {}, b"") for url in urls], SHORT)
        assert receiver.comes_to(lambda: receiver.open == 0)
        assert shop.comes_to(lambda: shop.open == 0)
        before = (_open_files(), threading.active_count())
        for _ in range(3):
            gateway.post_all([Letter(url, {}, b"") for url in urls], SHORT)
        assert receiver.comes_to(lambda: receiver.open == 0)
        assert shop.comes_to(lambda: shop.open == 0)
        gc.collect()  # which would warn of a socket that was not closed
        after = (_open_files(), threading.active_count())
    assert after[0] <= before[0] + 3  # the silent server's own ends
    assert after[1] <= before[1] + 3


def _open_files() -> int:
    folder = Path("/proc/self/fd")
    return len(list(folder.iterdir())) if folder.exists() else 0
