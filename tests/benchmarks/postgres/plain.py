"""Owns the payment as one PL/pgSQL function called through psycopg: what a database alone would do."""

import psycopg  # type: ignore[import-not-found] # only in the environment of these benchmarks

from tests.benchmarks.postgres.server import DATABASE, OWNER
from tests.benchmarks.postgres.shapes import Accounts, Pay, Refused

# One row per account, as a wallet has; the merchant's is written with each payment, as its books want it.
SCHEMA = """
CREATE TABLE account (id text PRIMARY KEY, balance bigint NOT NULL CHECK (balance >= 0));
CREATE TABLE payment (
    order_id text PRIMARY KEY, payer text NOT NULL, payee text NOT NULL, amount bigint NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE entry (
    account text NOT NULL, order_id text NOT NULL REFERENCES payment, amount bigint NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(), PRIMARY KEY (account, order_id)
);
CREATE FUNCTION pay(wanted text, source text, target text, sum bigint) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    known payment;
BEGIN
    INSERT INTO payment (order_id, payer, payee, amount) VALUES (wanted, source, target, sum)
        ON CONFLICT (order_id) DO NOTHING;
    IF NOT FOUND THEN
        SELECT * INTO known FROM payment WHERE order_id = wanted;
        IF (known.payer, known.payee, known.amount) = (source, target, sum) THEN
            RETURN 'replayed';
        END IF;
        RAISE EXCEPTION 'another request had this order id';
    END IF;
    UPDATE account SET balance = balance - sum WHERE id = source AND balance >= sum;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'insufficient funds';
    END IF;
    UPDATE account SET balance = balance + sum WHERE id = target;
    INSERT INTO entry (account, order_id, amount) VALUES (source, wanted, -sum), (target, wanted, sum);
    RETURN 'paid';
END
$$;
"""


class Plain:
    """The payment as the function above."""

    name = "PL/pgSQL"

    def __init__(self, folder: str) -> None:
        where = {"host": folder, "user": OWNER, "dbname": DATABASE}
        self._connection = psycopg.connect(**where, autocommit=True, prepare_threshold=0)

    def provide(self, accounts: Accounts) -> None:
        """Make the tables, the wallets with their money, and the merchants."""
        self._connection.execute(SCHEMA, prepare=False)
        with self._connection.cursor() as cursor:
            cursor.executemany("INSERT INTO account VALUES (%s, %s)", list(accounts.balances()))

    def payer(self) -> Pay:
        """What pays an order, in a transaction of its own; gives whether it was paid now."""

        def pay(order_id: str, wallet: str, merchant: str, amount: int) -> bool:
            try:
                done = self._connection.execute(
                    "SELECT pay(%s, %s, %s, %s)", (order_id, wallet, merchant, amount)
                ).fetchone()
            except psycopg.errors.RaiseException as error:
                raise Refused(str(error)) from None
            return bool(done[0] == "paid")

        return pay

    def payments(self) -> tuple[int, int]:
        """How many payments there are, and what all entries come to."""
        (counted,) = self._connection.execute("SELECT count(*) FROM payment").fetchone()
        (total,) = self._connection.execute("SELECT coalesce(sum(amount), 0) FROM entry").fetchone()
        return int(counted), int(total)

    def log_position(self) -> int:
        """How many bytes of write-ahead log there have been."""
        told = self._connection.execute("SELECT pg_current_wal_insert_lsn() - '0/0'::pg_lsn").fetchone()
        return int(told[0])

    def close(self) -> None:
        """Disconnect."""
        self._connection.close()
