"""Where webhooks may go: which URLs can be registered, and which addresses are connected to."""


def check_url(url: str) -> None:
    raise NotImplementedError
