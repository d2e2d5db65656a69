"""No card number and no security code stays anywhere in clear, and sealed ones outlive a restart."""

import base64
import subprocess
import sys
from pathlib import Path

from local.system import System, running
from tests.conftest import connect, new_key

NUMBERS = ("4929123456789015", "378734493671000", "4000000000000127")
AMEX_CODE = "7391"
BAD = ("4929 1234 5678 9015", "4929123456789016", "4929123456789015x")
REVEAL = """
import sys
from acquiring import vault
for card_id in sys.argv[2:]:
    card = vault.reveal(sys.argv[1], card_id)
    print(card.number if card else "gone")
"""


def forms(number: str) -> list[bytes]:
    """Clear, hexadecimal, and base 64 at each of the three alignments."""
    raw = number.encode()
    aligned = [base64.b64encode(b"\0" * skip + raw)[4 if skip else 0 : -4] for skip in range(3)]
    return [raw, raw.hex().encode(), *aligned]


def use(system: System) -> tuple[str, list[str], list[str]]:
    """Everything that can be done with cards, good and bad: merchant, card ids, all that was answered."""
    with connect(system, system.platform_key) as platform:
        plan = {"fee": {"basis_points": 1, "fixed": 1}, "settlement_delay_days": 1}
        merchant = platform.post(
            "/v1/merchants", json={"name": "S", "currency": "GBP", **plan}, headers=new_key()
        ).json()
    said, kept = [], []
    with connect(system, merchant["api_key"]["key"]) as shop:
        for number in (*NUMBERS, *BAD):
            key, cvc = new_key(), AMEX_CODE if len(number) == 15 else "739"
            body = {"number": number, "exp_month": 12, "exp_year": 2030, "cvc": cvc}
            for changes in ({}, {}, {"exp_year": 2031}, {"cvc": "x"}, {number: cvc}):
                answer = shop.post("/v1/cards", json={**body, **changes}, headers=key)
                said.append(answer.text)
                if answer.status_code == 201 and answer.json()["id"] not in kept:
                    kept.append(answer.json()["id"])
            said.append(shop.get(f"/v1/cards/{number}").text)
            said.append(shop.get("/v1/cards", params={"number": number}).text)
            said.append(shop.post("/v1/cards", content=f'{{"number": "{number}', headers=key).text)
        said += [shop.get(f"/v1/cards/{card_id}").text for card_id in kept]
        said.append(shop.delete(f"/v1/cards/{kept[1]}").text)
    return merchant["id"], kept, said


def test_secrets_stay_secret_over_a_restart(tmp_path: Path) -> None:
    with running(tmp_path / "state") as system:
        merchant, kept, said = use(system)
    assert len(kept) == 2
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    left = {str(path): path.read_bytes() for path in files} | {"answers": "\n".join(said).encode()}
    assert any(kept[0].encode() in content for content in left.values())
    for number in (*NUMBERS, *BAD):
        for form in forms(number):
            assert [place for place, content in left.items() if form in content] == []
    assert [place for place, content in left.items() if f'"{AMEX_CODE}"'.encode() in content] == []

    with running(tmp_path / "state") as system:
        command = [sys.executable, "-c", REVEAL, merchant, *kept]
        revealed = subprocess.run(
            command, env=dict(system.environment), capture_output=True, text=True, check=True
        ).stdout.split()
    assert revealed == [NUMBERS[0], "gone"]
