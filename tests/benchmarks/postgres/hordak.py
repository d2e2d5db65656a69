"""Owns the payment with django-hordak on PostgreSQL, as documented: the wallet is locked before a transfer.

https://django-hordak.readthedocs.io/ (`Account.transfer_to`, `Account.get_simple_balance`). A balance is the
sum of an account's legs; whoever must not overdraw it locks the account first, as Django documents it with
`select_for_update` in `atomic`. An order is paid once because a row of ours has a unique order id.
"""

from decimal import Decimal
from typing import Any

import django  # type: ignore[import-not-found] # only in the environment of these benchmarks
from django.conf import settings  # type: ignore[import-not-found] # as above

from tests.benchmarks.postgres.server import DATABASE, OWNER
from tests.benchmarks.postgres.shapes import FUNDS, Accounts, Pay, Refused

CURRENCY = "GBP"
CENT = 100


def _connect(folder: str) -> None:
    settings.configure(
        DATABASES={
            "default": {
                "ENGINE": "django.db.backends.postgresql",
                "HOST": folder,
                "USER": OWNER,
                "NAME": DATABASE,
                "CONN_MAX_AGE": None,
            }
        },
        INSTALLED_APPS=["django.contrib.contenttypes", "django.contrib.auth", "mptt", "hordak"],
        DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
        DEFAULT_CURRENCY=CURRENCY,
        HORDAK_INTERNAL_CURRENCY=CURRENCY,
        HORDAK_CURRENCIES=[CURRENCY],
        CURRENCIES=[CURRENCY],
        USE_TZ=True,
        SECRET_KEY="none",
    )
    django.setup()


def _order() -> Any:
    """Our own table, whose unique column is what makes an order be paid once."""
    from django.db import models  # type: ignore[import-not-found] # noqa: PLC0415 - it wants its settings first

    class Order(models.Model):  # type: ignore[misc] # it has no types here
        order_id = models.CharField(max_length=64, unique=True)
        wallet = models.CharField(max_length=64)
        merchant = models.CharField(max_length=64)
        amount = models.BigIntegerField()

        class Meta:
            app_label = "shop"

    return Order


class Hordak:
    """The payment with Account, Transaction and Leg."""

    name = "django-hordak"

    def __init__(self, folder: str) -> None:
        _connect(folder)
        from django.db import connection, transaction  # noqa: PLC0415 - Django wants its settings first
        from hordak.models import (  # type: ignore[import-not-found] # noqa: PLC0415 - as above
            Account,
            AccountType,
            Leg,
        )
        from moneyed import Money  # type: ignore[import-not-found] # noqa: PLC0415 - as above

        self._connection, self._atomic = connection, transaction.atomic
        self._accounts, self._types, self._legs, self._money = Account, AccountType, Leg, Money
        self._orders = _order()

    def provide(self, accounts: Accounts) -> None:
        """Make the tables, the wallets with their money, and the merchants."""
        from django.core.management import (  # type: ignore[import-not-found] # noqa: PLC0415 - as above
            call_command,
        )

        call_command("migrate", verbosity=0)
        with self._connection.schema_editor() as editor:
            editor.create_model(self._orders)
        with self._atomic():
            bank = self._open("bank", self._types.asset)
            for name in accounts.merchant_names:
                self._open(name, self._types.liability)
            for name in accounts.wallet_names:
                # A liability that transfers to an asset makes both of them hold more.
                self._open(name, self._types.liability).transfer_to(bank, self._money_of(FUNDS))

    def _open(self, name: str, kind: Any) -> Any:
        return self._accounts.objects.create(name=name, type=kind, currencies=[CURRENCY])

    def _money_of(self, amount: int) -> Any:
        return self._money(Decimal(amount) / CENT, CURRENCY)

    def payer(self) -> Pay:
        """What pays an order, in a transaction of its own; gives whether it was paid now."""
        keys = dict(self._accounts.objects.values_list("name", "pk"))
        accounts, orders = self._accounts.objects, self._orders.objects

        def pay(order_id: str, wallet: str, merchant: str, amount: int) -> bool:
            asked = {"wallet": wallet, "merchant": merchant, "amount": amount}
            with self._atomic():
                order, created = orders.get_or_create(order_id=order_id, defaults=asked)
                if not created:
                    if {name: getattr(order, name) for name in asked} != asked:
                        raise Refused("another request had this order id")
                    return False
                payer = accounts.select_for_update().get(pk=keys[wallet])
                if payer.get_simple_balance()[CURRENCY] < self._money_of(amount):
                    raise Refused("insufficient funds")
                payee = accounts.get(pk=keys[merchant])
                # Both are liabilities: the one that transfers is credited, and holds more.
                payee.transfer_to(payer, self._money_of(amount), description=order_id)
            return True

        return pay

    def payments(self) -> tuple[int, int]:
        """How many payments there are, and what all legs come to."""
        balances = self._legs.objects.sum_to_debit_and_credit()
        credited, debited = (int(each[CURRENCY].amount * CENT) for each in balances)
        return int(self._orders.objects.count()), credited - debited

    def log_position(self) -> int:
        """How many bytes of write-ahead log there have been."""
        with self._connection.cursor() as cursor:
            cursor.execute("SELECT pg_current_wal_insert_lsn() - '0/0'::pg_lsn")
            return int(cursor.fetchone()[0])

    def close(self) -> None:
        """Disconnect."""
        self._connection.close()
