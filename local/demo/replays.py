"""Steps of the story sent once more: their first answers are all that comes of it."""

from http import HTTPStatus

from local.api import Api
from local.demo.claims import Check, differences
from local.demo.plan import Plan
from local.demo.player import Played, expected_status, perform
from local.demo.steps import Cancellation, Capture, Payment, Refund, Step, TopUp


def replay(plan: Plan, played: Played, shop: Api) -> Check:
    """Send one step of each kind once more; what is read after this must not show it."""
    steps = _tempting_steps(plan)
    answers = {name: perform(shop, step, played) for name, step in steps.items()}
    return Check(
        f"Sent again, {_listed(list(steps))} get their first answers",
        (
            *differences(
                "status of",
                {name: expected_status(step) for name, step in steps.items()},
                {name: HTTPStatus(answer.status) for name, answer in answers.items()},
            ),
            *(f"{name}: it was done anew" for name, answer in answers.items() if not answer.replayed),
        ),
    )


def _tempting_steps(plan: Plan) -> dict[str, Step]:
    """Of each kind one that could succeed again: only then would a second effect show."""
    paid = [payment for payment in plan.all(Payment) if not payment.refusal]
    steps: dict[str, Step] = {}
    from_wallets = [payment for payment in paid if payment.card is None]
    if from_wallets:
        richest = max(
            from_wallets,
            key=lambda paid: plan.balances[paid.row.customer_id].available - paid.row.amount,
        )
        steps[f"payment {richest.row.order_id}"] = richest
    for by_card in [payment for payment in paid if payment.card][:1]:
        steps[f"card payment {by_card.row.order_id}"] = by_card
    for refused in plan.refused[:1]:
        steps[f"refusal {refused.row.order_id}"] = refused
    for topup in [topup for topup in plan.all(TopUp) if not topup.refusal][:1]:
        steps[f"top-up for {topup.order_id}"] = topup
    for capture in plan.all(Capture)[:1]:
        steps[f"capture {capture.row.order_id}"] = capture
    for cancellation in plan.all(Cancellation)[:1]:
        steps[f"cancellation {cancellation.row.order_id}"] = cancellation
    for refund in {refund.to_card: refund for refund in plan.all(Refund)}.values():
        steps[f"refund {refund.row.refund_of}"] = refund
    return steps


def _listed(names: list[str]) -> str:
    return " and ".join(filter(None, (", ".join(names[:-1]), names[-1])))
