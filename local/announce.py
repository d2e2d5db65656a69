"""What `tael up` says when it is ready: where things are, the keys, and commands to paste."""

from collections.abc import Mapping

from rich.console import Console

from chassis import clock
from chassis.config import Engine
from local.sandbox import Sandbox
from local.system import System

TEST_CARDS = "docs/test-cards.md"
TEST_BANK_ACCOUNTS = "docs/test-bank-accounts.md"

OPEN_A_MERCHANT = """
# Onboard a merchant; its key is shown this once.
KEY=$(curl -s "$URL/v1/merchants" -H "Authorization: Bearer $OPERATOR" \\
  -H "Idempotency-Key: merchant-$RANDOM$RANDOM" -H 'Content-Type: application/json' \\
  -d '{"name": "A shop", "currency": "GBP", "fee": {"basis_points": 150, "fixed": 20},
       "settlement_delay_days": 2}' | field api_key key)
"""

TRY_IT = """
field() { python3 -c 'import functools, json, sys
print(functools.reduce(lambda value, name: value[name], sys.argv[1:], json.load(sys.stdin)))' "$@"; }
%(merchant)s
# Open a wallet for one of the merchant's customers.
WALLET=$(curl -s "$URL/v1/wallets" -H "Authorization: Bearer $KEY" \\
  -H 'Idempotency-Key: wallet-of-ada' -H 'Content-Type: application/json' \\
  -d '{"owner": "ada", "currency": "GBP"}' | field id)

# Money arrives from outside: only the operator may say so.
curl -s "$URL/v1/wallets/$WALLET/deposits" -H "Authorization: Bearer $OPERATOR" \\
  -H 'Content-Type: application/json' \\
  -d '{"amount": 5000, "currency": "GBP", "reference": "bank-transfer-1"}'; echo

# Pay an order of £12.50. Run it twice: it is still paid once.
curl -s "$URL/v1/payments/order-1" -H "Authorization: Bearer $KEY" \\
  -H 'Content-Type: application/json' \\
  -d '{"amount": 1250, "currency": "GBP", "source": {"wallet": "'"$WALLET"'"}}'; echo

# Hold £8.00 for another order; when it leaves, capture £6.00 of it and let go of the rest.
curl -s "$URL/v1/payments/order-2" -H "Authorization: Bearer $KEY" \\
  -H 'Content-Type: application/json' \\
  -d '{"amount": 800, "currency": "GBP", "source": {"wallet": "'"$WALLET"'"}, "capture": "manual"}'; echo
curl -s "$URL/v1/payments/order-2/capture" -H "Authorization: Bearer $KEY" \\
  -H 'Content-Type: application/json' -d '{"amount": 600}'; echo

# Give £2.50 of the first order back.
curl -s "$URL/v1/payments/order-1/refunds" -H "Authorization: Bearer $KEY" \\
  -H 'Idempotency-Key: refund-1' -H 'Content-Type: application/json' -d '{"amount": 250}'; echo

# Keep a test card, pay an order of £3.00 with it, and top the wallet up by £10.00.
CARD=$(curl -s "$URL/v1/cards" -H "Authorization: Bearer $KEY" \\
  -H 'Idempotency-Key: card-of-ada' -H 'Content-Type: application/json' \\
  -d '{"number": "4242424242424242", "exp_month": 12, "exp_year": 2034, "cvc": "123"}' | field id)
curl -s "$URL/v1/payments/order-3" -H "Authorization: Bearer $KEY" \\
  -H 'Content-Type: application/json' \\
  -d '{"amount": 300, "currency": "GBP", "source": {"card": "'"$CARD"'"}}'; echo
curl -s "$URL/v1/topups" -H "Authorization: Bearer $KEY" \\
  -H 'Idempotency-Key: top-up-1' -H 'Content-Type: application/json' \\
  -d '{"wallet": "'"$WALLET"'", "card": "'"$CARD"'", "amount": 1000, "currency": "GBP"}'; echo

# See what is left.
curl -s "$URL/v1/wallets/$WALLET" -H "Authorization: Bearer $KEY"; echo
"""


def commands(url: str, operator_key: str | None, sandbox_key: str | None) -> str:
    """Commands for bash with curl and python3. Without an operator key they take it from the environment."""
    lines = [f"URL={url}", f"OPERATOR={operator_key}" if operator_key else 'OPERATOR="$TAEL_PLATFORM_KEY"']
    if sandbox_key:
        lines.append(f"KEY={sandbox_key}")
    return "\n".join(lines) + TRY_IT % {"merchant": "" if sandbox_key else OPEN_A_MERCHANT}


def announce(console: Console, system: System, sandbox: Sandbox | None) -> None:
    """Print it all; the ready line comes last, as it is, for whoever waits for it."""
    if system.platform_key_is_generated:
        operator = f"{system.platform_key}  (generated; kept in {system.state.secrets})"
    else:
        operator = "the one in TAEL_PLATFORM_KEY"
    facts = {
        "API": f"{system.url}  (described at {system.url}/docs)",
        "Engine": system.engine_kind.value,
        "State": str(system.state.path),
        "Logs": str(system.state.logs),
        "Operator key": operator,
    }
    if system.engine_kind is Engine.EMBEDDED:
        ahead = clock.ahead(system.state.clock)
        facts["Clock"] = f"{f'{ahead} ahead' if ahead else 'not moved'}  (`tael clock advance 3d` moves it)"
        facts["Webhooks"] = "`tael listen`, in another terminal, prints each as it arrives"
    if system.acquirer_url:
        facts["Acquirer"] = f"{system.acquirer_url}  (what it charged: {system.acquirer_url}/statement)"
        facts["Test cards"] = TEST_CARDS
    if system.bank_url:
        facts["Bank"] = f"{system.bank_url}  (what it paid: {system.bank_url}/statement)"
        facts["Test accounts"] = TEST_BANK_ACCOUNTS
    if sandbox:
        facts["Sandbox key"] = f"{sandbox.key}  (merchant {sandbox.merchant})"
    show(console, facts)
    shown_key = system.platform_key if system.platform_key_is_generated else None
    console.print("\nTry it, in another terminal with bash:\n")
    verbatim(console, commands(system.url, shown_key, sandbox.key if sandbox else None))
    verbatim(console, f"ready {system.url}")
    console.file.flush()


def show(console: Console, facts: Mapping[str, str]) -> None:
    """Print what is where, a line each."""
    for name, fact in facts.items():
        verbatim(console, f"  {name:<14}{fact}")


def verbatim(console: Console, text: str) -> None:
    """Neither wrapped nor coloured nor interpreted: it is there to be copied."""
    console.print(text, soft_wrap=True, markup=False, highlight=False, emoji=False)
