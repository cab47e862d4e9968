"""A login by a cloud of clouds.yaml: its messages name the file and its settings, where others name variables."""

import re
from copy import copy

from bulkput.errors import Denied, UsageError
from bulkput.record import frozen
from bulkput.stores.swift.login import Ask, Login, Token

_VARIABLE = re.compile(r"\bOS_(?:[A-Z]+_?)+|(?<=and )_[A-Z]+\b")
"""Such as OS_APPLICATION_CREDENTIAL_ID and _SECRET."""


@frozen
class CloudLogin:
    login: Login
    """By the variables that say what the cloud says."""
    cloud: str
    """`cloud NAME of FILE`."""

    @property
    def user(self) -> str:
        return self.login.user

    @property
    def url(self) -> str | None:
        return self.login.url

    @property
    def place(self) -> str:
        return self.login.place

    @property
    def given(self) -> Token | None:
        return self.login.given

    @property
    def cannot_renew(self) -> str | None:
        why = self.login.cannot_renew
        return self.in_settings(why) if why is not None else None

    @property
    def is_one_of_many(self) -> bool:
        return self.login.is_one_of_many

    @property
    def renews_ahead(self) -> bool:
        return self.login.renews_ahead

    async def token(self, ask: Ask) -> Token:
        try:
            return await self.login.token(ask)
        except UsageError as error:
            raise UsageError(self.in_settings(str(error))) from error
        except Denied as error:
            told = copy(error)
            told.detail = self.in_settings(error.detail)
            raise told from error

    def in_settings(self, text: str) -> str:
        return in_settings(text, self.cloud)


def in_settings(text: str, cloud: str) -> str:
    """`check OS_PASSWORD` as `check password (cloud ovh of ./clouds.yaml)`."""
    return f"{_VARIABLE.sub(_setting, text)} ({cloud})"


def _setting(variable: re.Match[str]) -> str:
    return variable[0].removeprefix("OS_").lower()
