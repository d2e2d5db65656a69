"""Owns the bugs of storage, of keys, and of who may see what, which concern every capability."""

from typing import Final

from tests.simulation.mutations.mutation import mutation

MUTATIONS: Final = (
    mutation(
        "saves-over-others",
        "a record is saved over whatever version is there by now",
        "chassis.writes:replace_version",
        '(equals("version", version),)',
        "()",
    ),
    mutation(
        "lost-is-done",
        "a transaction whose answer was lost counts as committed",
        "chassis.store:_write_all",
        "    except ClientError as error:\n",
        "    except aws.FAILURES[1:]:\n        return\n    except ClientError as error:\n",
    ),
    mutation(
        "conflict-is-refusal",
        "a transaction that met another one counts as refused",
        "chassis.store:_raise_first_reason",
        'reason["Code"] == "ConditionalCheckFailed"',
        'reason["Code"] in {"ConditionalCheckFailed", "TransactionConflict"}',
    ),
    mutation(
        "refusal-is-retried",
        "a refused condition is tried again until the time is up",
        "chassis.store:_until_deadline",
        """except aws.FAILURES as error:
            if not _is_transient(error):
                raise""",
        "except Exception as error:",
    ),
    mutation(
        "last-refusal-wins",
        "of several refusals the last one is told, and not the record's own",
        "chassis.store:_raise_first_reason",
        'zip(writes, error.response["CancellationReasons"], strict=False)',
        'reversed(list(zip(writes, error.response["CancellationReasons"], strict=False)))',
    ),
    mutation(
        "body-unchecked",
        "a key that comes again with another body is answered with what the first one made",
        "chassis.operations:Intent.check",
        "if fingerprint != self.fingerprint:",
        "if False:",
    ),
    mutation(
        "key-without-caller",
        "what a key makes is named without whose key it is",
        "chassis.operations:Intent.id",
        "ids.derive(prefix, self.principal, self.operation, self.key)",
        "ids.derive(prefix, self.operation, self.key)",
    ),
    mutation(
        "key-random",
        "what a key makes has a new id each time",
        "chassis.operations:Intent.id",
        "ids.derive(prefix, self.principal, self.operation, self.key)",
        "ids.random(prefix)",
    ),
    mutation(
        "everybody-owns",
        "every caller owns every wallet",
        "chassis.auth:Principal.owns",
        "return self.is_platform or holder == self.id",
        "return True",
    ),
    mutation(
        "anybodys-bank-account",
        "a wallet is withdrawn from by whoever asks",
        "functions.payouts.actions:pay_out",
        "new.source is not None and not principal.is_platform",
        "False",
    ),
    mutation(
        "number-in-the-log",
        "a card's number is logged",
        "functions.cards.actions:keep",
        "    blank = model.blank(",
        """    from chassis import observe
    observe.warn("cards", "a card was verified", number=card.number)
    blank = model.blank(""",
    ),
    mutation(
        "number-in-the-record",
        "a card's record has the whole number where its first six digits belong",
        "functions.cards.model:blank",
        "bin=card.number[:6]",
        "bin=card.number",
    ),
)
