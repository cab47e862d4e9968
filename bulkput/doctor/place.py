"""Judges the login, what the store says about itself, the container, and the room in it. Pure.

| what was seen                                       | verdict                                                      |
|-----------------------------------------------------|--------------------------------------------------------------|
| the login is by https://, the store by http://      | warn: the token and all bytes can be read on the way         |
| no `/info`                                          | skipped: some operators hide it, and Swift's defaults serve  |
| the container is not there                          | warn: an upload makes it; the doctor does not                |
| the bucket is not there                             | fail: an upload makes it only if that is asked for           |
| it may not be looked at (403)                       | warn: writing may be allowed all the same                    |
| old versions are kept                               | warn: a probe would stay as one, so none is written          |
| what is deleted leaves a mark (S3)                  | warn: so would a probe                                       |
| the bucket is in another region than the settings'  | warn: each run needs another request to learn it             |
| uploads in parts are unfinished since a week        | warn: they cost as much as objects, and are in no listing    |
| who asks may not see them                           | skipped                                                      |
| a temporary URL is refused                          | fail                                                         |
| it ends within five minutes                         | warn                                                         |
| 90 % of a quota are used                            | warn                                                         |
| all of a quota is used                              | fail                                                         |
| the account's quota is denied to this user          | ok: the container's counts, too                              |
| it gets another error                               | warn                                                         |
"""

from collections.abc import Mapping, Sequence
from typing import Any, Literal
from urllib.parse import urlsplit

from bulkput.doctor.finding import Finding, Step, failure, ok, skipped, warning
from bulkput.doctor.texts import span_text
from bulkput.doctor.trouble import advice_for, cause_of
from bulkput.errors import BulkputError, Denied, NotFound, Unsupported, UsageError, printable
from bulkput.model import Limits
from bulkput.policy.skip import moment_ns
from bulkput.policy.temp_url import TempUrl
from bulkput.report.lines import count_text, size_text
from bulkput.stores.powers import ContainerFacts, LoggedIn, Space

_NEARLY_FULL = 0.9
_SHORT_S = 300
"""A temporary URL with less life is worth a warning: many uploads take longer."""
_LEFT_S = 7 * 86_400
"""Nothing uploads one object for a week: as `bulkput segments` has it."""
_MARKS = (
    "removals and mirrors leave a delete marker there, and old versions stay until a lifecycle rule removes them."
    " A probe would leave both, so none is written: look at a bucket without versions"
)
Kind = Literal["container", "bucket", "directory"]
_TOLD = ("slo", "bulk_delete", "symlink", "object_versioning", "versioned_writes", "tempurl", "container_quotas",
         "account_quotas", "ratelimit")  # fmt: skip
"""The sections of `/info` that say what an upload may meet or use."""


def descriptors(limit: int | None, room: int, *, begins_with: int, most: int) -> Finding:
    """`room` is the number of requests in flight that `limit` open files leave room for; an upload begins with
    `begins_with` of them and takes up to `most`."""
    open_files = f"{count_text(limit)} files" if limit is not None else "any number of files"
    which = f"all {most}" if room == most else f"{room} of {most}"
    text = f"this process may open {open_files}: room for {which} requests in flight"
    facts = {"limit": limit, "in_flight": room}
    if room < begins_with:
        advice = "raise the hard limit: LimitNOFILE= of a systemd unit, nofile in /etc/security/limits.conf"
        return warning(Step.DESCRIPTORS, "descriptors", text, advice, **facts)
    return ok(Step.DESCRIPTORS, text, **facts)


def login(url: str, user: str, outcome: LoggedIn | BulkputError, seconds: float) -> Finding:
    facts: dict[str, Any] = {"url": url, "user": user}
    if isinstance(outcome, UsageError):  # its text says what to do
        return failure(Step.LOGIN, "login", str(outcome), "", seconds=seconds, **facts)
    if isinstance(outcome, BulkputError):
        cause = cause_of(outcome)
        if isinstance(outcome, Denied) and cause == "forbidden":
            cause = "unauthorized"  # some login services answer 403 to a wrong password
        advice = "if they are right: is the user locked, or its password expired?" if cause == "unauthorized" else ""
        return failure(Step.LOGIN, cause, str(outcome), advice or advice_for(cause), seconds=seconds, **facts)
    facts |= {"storage_url": outcome.storage_url, "lives_s": outcome.lives_s, "renews": outcome.cannot_renew is None}
    if outcome.cannot_renew is not None:
        life = "a given token, which nothing here can renew"
    elif outcome.lives_s is not None:
        life = f"a token that lives {span_text(outcome.lives_s)}"
    else:
        life = "a token (how long it lives, the server does not say)"
    text = f"{user}: {life}; the account is at {outcome.storage_url}"
    if urlsplit(url).scheme == "https" and urlsplit(outcome.storage_url).scheme == "http":
        advice = (
            "set OS_STORAGE_URL to its https:// URL; those who run the store set storage_url_scheme, or the endpoint"
        )
        return warning(Step.LOGIN, "storage-not-encrypted", text, advice, seconds=seconds, **facts)
    return ok(Step.LOGIN, text, seconds=seconds, **facts)


def given_credentials(kind: str) -> Finding:
    """Of a store without a login."""
    text = f"no login: each request carries credentials ({kind})" if kind else "no login, and no credentials are set"
    return skipped(Step.LOGIN, text, kind=kind)


def info(said: Mapping[str, Any], limits: Limits, seconds: float) -> Finding:
    if not said:
        text = "no /info came: what the store can do and its limits are not known, so Swift's defaults are assumed"
        return skipped(Step.INFO, text, seconds=seconds)
    swift = said.get("swift")
    swift = swift if isinstance(swift, dict) else {}
    kind = "Ceph's gateway" if "max_object_name_size" in swift else "Swift"  # the name is Ceph's
    has = ", ".join(name for name in _TOLD if name in said) or "nothing more"
    version = f" {swift['version']}" if "version" in swift else ""
    text = f"{kind}{version}: {has}{_unusual(limits)}"
    return ok(Step.INFO, printable(text), seconds=seconds, info=said)


def _unusual(limits: Limits) -> str:
    """The limits that are not Swift's defaults."""
    usual, size, length = Limits(), limits.max_object_bytes, limits.max_name_bytes
    texts = (
        f"objects up to {size_text(size)}" if size_text(size) != size_text(usual.max_object_bytes) else "",
        f"names up to {length} bytes" if length != usual.max_name_bytes else "",
    )
    return "".join(f"; {text}" for text in texts if text)


def place(name: str, seen: ContainerFacts | BulkputError, seconds: float, *, what: Kind) -> Finding:
    """`name` is the container or bucket, or the URL of a plain HTTP server's directory."""
    name = printable(name)
    if isinstance(seen, BulkputError):
        return _unseen(name, what, seen, seconds)
    if what == "directory":
        return ok(Step.PLACE, f"{name}: the server answers for it", seconds=seconds)
    policy = f", policy {printable(seen.policy)}" if seen.policy else ""
    readers = f"; readers {printable(seen.readers)}" if seen.readers else ""
    writers = f"; writers {printable(seen.writers)}" if seen.writers else ""
    text = f"{name}: {_holds(seen.space)}{policy}{readers}{writers}"
    facts: dict[str, Any] = {
        "policy": seen.policy,
        "readers": seen.readers,
        "writers": seen.writers,
        "archives": seen.archives,
    }
    facts |= {"objects": seen.space.objects, "bytes": seen.space.bytes, "region": seen.region}
    if seen.leaves_marks:
        has = "keeps old versions" if seen.archives else "has kept old versions, and does not now"
        return warning(Step.PLACE, "keeps-versions", f"{text}; it {has}", _MARKS, seconds=seconds, **facts)
    if seen.archives:
        advice = "a probe would stay as an old version, so none is written: look at a container without versions"
        return warning(Step.PLACE, "keeps-versions", f"{text}; it keeps old versions", advice, seconds=seconds, **facts)
    if seen.region:
        text += f"; it is in the region {printable(seen.region)}, and the settings name another"
        advice = "set AWS_REGION, or the region of the profile: without it each run asks once more"
        return warning(Step.PLACE, "wrong-region", text, advice, seconds=seconds, **facts)
    return ok(Step.PLACE, text, seconds=seconds, **facts)


def signature(temp_url: TempUrl, seen: ContainerFacts | BulkputError, seconds: float, *, now_s: float) -> Finding:
    """Of a temporary URL, which shows nothing else of its container."""
    if isinstance(seen, Denied):
        advice = "ask for another, which `bulkput.temporary_url` makes"
        return failure(Step.PLACE, "signature-refused", str(seen), advice, seconds=seconds)
    if isinstance(seen, BulkputError):
        cause = cause_of(seen)
        return failure(Step.PLACE, cause, str(seen), advice_for(cause), seconds=seconds)
    left_s = temp_url.expires_s - now_s
    text = (
        f"{temp_url.place.root}/: the store takes the signature, which ends in {span_text(left_s)}, {temp_url.expiry}"
    )
    if left_s < _SHORT_S:
        advice = "what is not sent by then is refused: ask for one that lives longer"
        return warning(Step.PLACE, "signature-ends", text, advice, seconds=seconds)
    return ok(Step.PLACE, text, seconds=seconds)


def _unseen(name: str, what: Kind, error: BulkputError, seconds: float) -> Finding:
    match error:
        case NotFound() if what == "bucket":
            text = f"{name}: there is no such bucket"
            return failure(Step.PLACE, "missing", text, "`s3.make_bucket` makes it with an upload", seconds=seconds)
        case NotFound():
            text = f"{name}: there is no such {what}"
            advice = "an upload makes it, and nothing was written now. Make it first, to have writing tried"
            return warning(Step.PLACE, "missing", text, advice, seconds=seconds)
        case Denied(status=403) if cause_of(error) == "forbidden":
            advice = "writing may be allowed all the same, and is tried; else ask its owner for access"
            if what == "bucket":
                advice += ". Is it yours? All users of S3 share the names of buckets"
            return warning(Step.PLACE, "unseen", str(error), advice, seconds=seconds)
    cause = cause_of(error)
    return failure(Step.PLACE, cause, str(error), advice_for(cause), seconds=seconds)


def unfinished(begun: Sequence[str] | BulkputError, seconds: float, *, most: int, now_s: float) -> Finding:
    """`begun` has the times at which unfinished uploads in parts were begun, in UTC, of `most` of them at most."""
    match begun:
        case Denied() | Unsupported():
            text = f"unfinished uploads in parts are not shown: {begun}"
            return skipped(Step.UNFINISHED, text, seconds=seconds)
        case BulkputError():
            cause = cause_of(begun)
            return warning(Step.UNFINISHED, cause, str(begun), advice_for(cause), seconds=seconds)
    ages_s = [now_s - told_ns / 1e9 for each in begun if (told_ns := moment_ns(each)) is not None]
    oldest_s = max(ages_s, default=0.0)
    count = f"{count_text(most)} or more" if len(begun) >= most else count_text(len(begun))
    facts = {"count": len(begun), "oldest_s": oldest_s}
    if not begun:
        return ok(Step.UNFINISHED, "no upload in parts is unfinished", seconds=seconds, **facts)
    text = f"{count} uploads in parts unfinished, the oldest begun {span_text(oldest_s)} ago"
    if len(begun) == 1:
        text = f"1 upload in parts unfinished, begun {span_text(oldest_s)} ago"
    if oldest_s < _LEFT_S:
        return ok(Step.UNFINISHED, text, seconds=seconds, **facts)
    advice = "their parts are in no listing, and cost as objects do: remove them, or have a lifecycle rule abort them"
    return warning(Step.UNFINISHED, "unfinished", text, advice, seconds=seconds, **facts)


def quota(spaces: Mapping[str, Space], unseen: BulkputError | None, seconds: float) -> Finding:
    """`spaces` are what holds the objects, by names for people. `unseen`: the account could not be looked at."""
    texts, shares = [], []
    for name, space in spaces.items():
        for used, most, worded, unit in (
            (space.bytes, space.most_bytes, size_text, ""),
            (space.objects, space.most_objects, count_text, " objects"),
        ):
            if most is None:
                continue
            left = max(0, most - (used or 0))
            texts.append(f"{name}: {worded(left)}{unit} left of {worded(most)}")
            shares.append(1.0 if not left else (used or 0) / most)
    hidden = [] if unseen is None else [f"the account's is not known: {unseen}"]
    if isinstance(unseen, Denied):
        hidden = ["the account's is not shown to this user"]
    text = "; ".join([*(texts or ["no quota is shown"]), *hidden])
    facts = {name: {"bytes": space.bytes, "most_bytes": space.most_bytes, "objects": space.objects,
                    "most_objects": space.most_objects} for name, space in spaces.items()}  # fmt: skip
    worst = max(shares, default=0.0)
    if worst >= 1:
        return failure(Step.QUOTA, "quota-full", text, advice_for("quota-full"), seconds=seconds, spaces=facts)
    if worst >= _NEARLY_FULL:
        advice = "that is less than a tenth: remove objects, or ask for a higher quota, before a large upload"
        return warning(Step.QUOTA, "quota-nearly-full", text, advice, seconds=seconds, spaces=facts)
    if unseen is not None and not isinstance(unseen, Denied):
        cause = cause_of(unseen)
        return warning(Step.QUOTA, cause, text, advice_for(cause), seconds=seconds, spaces=facts)
    return ok(Step.QUOTA, text, seconds=seconds, spaces=facts)


def _holds(space: Space) -> str:
    if space.objects is None or space.bytes is None:
        return "there"
    objects = "1 object" if space.objects == 1 else f"{count_text(space.objects)} objects"
    return f"{objects}, {size_text(space.bytes)}"
