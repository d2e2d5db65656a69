"""The CloudFormation template of the whole system, rendered from the declaration and the services' own."""

from typing import Any

import yaml

from infra.template.alarms import alarms
from infra.template.dashboard import dashboard
from infra.template.feeds import feeds
from infra.template.gateway import gateway
from infra.template.keys import keys
from infra.template.lambdas import lambdas
from infra.template.outputs import outputs
from infra.template.packaging import Packaging
from infra.template.parameters import CONDITIONS, PARAMETERS
from infra.template.queues import queues
from infra.template.secrets import secrets
from infra.template.tables import tables


def template(packaging: Packaging = Packaging.IMAGE) -> dict[str, Any]:
    """The template as plain values: the same whenever and wherever it is made."""
    return {
        "AWSTemplateFormatVersion": "2010-09-09",
        "Description": "Tael: a payment backend. Rendered by `make template`; do not edit.",
        "Parameters": PARAMETERS | packaging.parameters(),
        "Conditions": CONDITIONS,
        "Resources": {
            **keys(),
            **secrets(),
            **tables(),
            **queues(),
            **lambdas(packaging),
            **feeds(),
            **gateway(),
            **alarms(),
            **dashboard(),
        },
        "Outputs": outputs(),
    }


def render(packaging: Packaging = Packaging.IMAGE) -> str:
    """The template as YAML."""
    return yaml.dump(template(packaging), Dumper=_Dumper, sort_keys=False, width=110, allow_unicode=True)


class _Dumper(yaml.SafeDumper):
    """Repeats what occurs twice: CloudFormation knows no anchors."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002 - YAML's own signature
        """Never."""
        return True
