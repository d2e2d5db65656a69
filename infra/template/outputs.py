"""What the stack tells whoever deployed it."""

from infra.template.alarms import TOPIC
from infra.template.gateway import API
from infra.template.secrets import PLATFORM_KEY, SECRETS, secret_arn
from infra.template.words import Value, attribute, logical, ref


def outputs() -> dict[str, Value]:
    """The API's address, and where the secrets are."""
    secrets = {
        logical(setting, "SecretArn"): {
            "Description": "The operator's key." if setting == PLATFORM_KEY else f"TAEL_{setting.upper()}.",
            "Value": secret_arn(setting),
        }
        for setting in SECRETS
    }
    return {
        "ApiUrl": {"Description": "Where the API is.", "Value": attribute(API, "ApiEndpoint")},
        "ApiId": {"Description": "Its id.", "Value": ref(API)},
        **secrets,
        "AlarmTopicArn": {"Description": "Where alarms are told.", "Value": ref(TOPIC)},
    }
