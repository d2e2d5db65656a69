"""Owns the bugs of events, queues, streams and webhooks."""

from typing import Final

from tests.simulation.mutations.mutation import Mutation, Patch, mutation

MUTATIONS: Final = (
    mutation(
        "event-with-random-id",
        "an event has another id each time that it is told",
        "chassis.events:event_id",
        """return ids.derive(
        "evt", table, *(part for name in sorted(key) for part in (name, key[name])), str(version), kind
    )""",
        'return ids.random("evt")',
    ),
    mutation(
        "event-before-commit",
        "a top-up is told before its outcome is committed",
        "functions.topups.resolution:concluded",
        "    try:\n        store.commit",
        """    from functions.topups import publication
    events.send(events.told(publication._event_of(table.kept(after))))
    try:
        store.commit""",
    ),
    mutation(
        "event-dropped-in-batch",
        "of what a batch of changes tells, the last message is not sent",
        "chassis.sources:_publish",
        "events.send(messages or ())",
        "events.send(list(messages or ())[:9])",
    ),
    mutation(
        "stream-swallows",
        "a stream's handler that could not send goes on all the same",
        "chassis.sources:_publish",
        "        events.send(messages or ())\n",
        """        try:
            events.send(messages or ())
        except Exception:
            pass
""",
    ),
    mutation(
        "refused-entries-forgotten",
        "what a queue has not taken of a batch is not sent again",
        "chassis.events:_refused",
        """        if not aws.is_transient(error):
            raise
        return batch""",
        """        if not aws.is_transient(error):
            raise
        return []""",
    ),
    mutation(
        "batch-fails-together",
        "a message that cannot be read has the whole batch delivered again",
        "chassis.messages:Consumer.take",
        "failed[message_id] = error",
        "raise",
    ),
    mutation(
        "failures-swallowed",
        "a message that could not be handled counts as handled",
        "chassis.sources:_consume",
        "return _failures(record)",
        'return {"batchItemFailures": []}',
    ),
    mutation(
        "one-failure-told",
        "of the messages of a batch that failed only the first is delivered again",
        "chassis.sources:_failures",
        "for casualty in record.failures]",
        "for casualty in record.failures[:1]]",
    ),
    Mutation(
        "webhook-sent-before-kept",
        "the message that begins a delivery is sent before the delivery is kept",
        (
            Patch(
                "functions.webhooks.publication:_recorded",
                "delivery = _begun(model.new_delivery(event, each))",
                """fresh = model.new_delivery(event, each)
            events.send([attempt_of(table.kept(fresh), each)])
            _begun(fresh)""",
            ),
        ),
    ),
    mutation(
        "webhook-failure-is-success",
        "a delivery that failed counts as delivered",
        "functions.webhooks.model:attempted",
        "done = outcome.failure is None",
        "done = True",
    ),
    mutation(
        "webhook-gives-up",
        "a delivery that failed is not tried again, and stays as it is",
        "functions.webhooks.model:attempted",
        '"next_attempt_at": None if final else clock.timestamp(at + _pause_after(tries))',
        '"next_attempt_at": None',
    ),
    mutation(
        "webhook-begun-and-left",
        "a delivery that was begun is left, where its endpoint does not ask for such events any more",
        "functions.webhooks.publication:_recorded",
        "        if delivery is not None:\n",
        "        if delivery is not None and model.is_to_be_told(each, event):\n",
    ),
    mutation(
        "webhook-of-another",
        "an event goes to the endpoints of whoever else is told of at that moment",
        "functions.webhooks.publication:record",
        "_concerned(endpoints[each.principal], each.created_at)",
        "_concerned([one for those in endpoints.values() for one in those], each.created_at)",
    ),
)
