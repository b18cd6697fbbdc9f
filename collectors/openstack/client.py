"""The cloud's API through openstacksdk: log-in, catalog, microversions are its work, whole answers are ours."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qs, urlsplit

from collectors.openstack.api import Json
from collectors.openstack.credentials import Credentials
from inventory.model import Cloud
from records.errors import UnreachableError, UserError

SERVERS_VERSION = "2.61"  # Queens: a server carries its flavor with extra specs
USAGE_VERSION = "2.40"  # Ocata: pages; below it nova cuts the answer at 1000 servers and does not say so
PAGE_SIZE = 500
_MOST_PAGES = 10_000
_SHOWN = 160  # characters of a foreign answer in our messages


class OpenStackApi:
    """``ComputeApi`` on one SDK connection; not for use by two threads at once."""

    def __init__(self, connection: Any, cloud: str) -> None:
        self._connection, self._cloud = connection, cloud

    def now(self) -> datetime:
        """The ``Date`` of an answer; RFC 9110 §6.6.1 asks for it, without it our own clock stands in."""
        with _told(self._cloud):
            answer = self._connection.compute.get("/flavors", params={"limit": 1})
        _check_status(answer, self._cloud)
        stamp: str | None = answer.headers.get("Date")
        return parsedate_to_datetime(stamp).astimezone(UTC) if stamp else datetime.now(UTC)

    def projects(self) -> Sequence[Json]:
        return list(self._pages("identity", "/projects", "projects", {}))

    def servers(self) -> Sequence[Json]:
        return list(
            self._pages(
                "compute", "/servers/detail", "servers", {"all_tenants": "1", "limit": str(PAGE_SIZE)}, SERVERS_VERSION
            )
        )

    def flavors(self) -> Sequence[Json]:
        return list(
            self._pages(
                "compute", "/flavors/detail", "flavors", {"is_public": "None", "limit": str(PAGE_SIZE)}, SERVERS_VERSION
            )
        )

    def usages(self, start: datetime, end: datetime) -> Sequence[Json]:
        span = {"start": _naive(start), "end": _naive(end), "detailed": "1", "limit": str(PAGE_SIZE)}
        tenants = self._pages("compute", "/os-simple-tenant-usage", "tenant_usages", span, USAGE_VERSION)
        return [usage for tenant in tenants for usage in tenant["server_usages"]]

    def actions(self, server: str) -> Sequence[Json]:
        return list(
            self._pages("compute", f"/servers/{server}/os-instance-actions", "instanceActions", {}, SERVERS_VERSION)
        )

    def close(self) -> None:
        """Give the connections back."""
        self._connection.close()

    def _pages(
        self, service: str, path: str, name: str, query: Mapping[str, str], version: str | None = None
    ) -> Iterator[Json]:
        """Elements of all pages; of a link to the next page only the query counts: its host may be behind a proxy."""
        asked: dict[str, str] = dict(query)
        for _ in range(_MOST_PAGES):
            body = self._get(service, path, name, asked, version)
            yield from body[name]
            following = _next_query(body, name)
            if following is None:
                return
            if following == asked:
                break
            asked = following
        raise UnreachableError(
            "the pages of {path} never end", "look at the cloud's own logs", where=self._cloud, path=path
        )

    def _get(self, service: str, path: str, name: str, query: Mapping[str, str], version: str | None) -> Json:
        with _told(self._cloud):
            answer = getattr(self._connection, service).get(path, params=query, microversion=version)
        _check_status(answer, self._cloud)
        try:
            body = answer.json()
        except ValueError:
            body = None
        if not isinstance(body, dict) or not _is_list_of_objects(body.get(name)):
            raise UnreachableError(
                "{path} answered no JSON with a list '{name}': {text}",
                "check what answers at the cloud's endpoints; the span is collected again",
                where=self._cloud,
                path=path,
                name=name,
                text=" ".join(answer.text.split())[:_SHOWN],
            )
        return body


def connect(cloud: Cloud, credentials: Credentials, *, timeout_seconds: float = 30) -> OpenStackApi:
    """The API of a cloud of the inventory. Nothing is sent before the first question.

    Only these credentials count: ``clouds.yaml`` and ``OS_*`` variables of this machine are not read.
    """
    import openstack  # noqa: PLC0415 - 0.5 s that only the collect process pays

    for name in ("keystoneauth", "openstack"):
        logging.getLogger(name).addHandler(logging.NullHandler())  # else their warnings go to stderr bare
    auth = {
        "auth_url": cloud.url,
        "username": credentials.username,
        "password": credentials.password.reveal(),
        "project_name": credentials.project_name,
        "user_domain_name": credentials.user_domain_name,
        "project_domain_name": credentials.project_domain_name,
    }
    with _told(cloud.id):
        connection = openstack.connect(
            load_yaml_config=False, load_envvars=False, auth_type="password", auth=auth, app_name="yunwang",
            region_name=credentials.region_name, interface=credentials.interface, api_timeout=timeout_seconds,
        )  # fmt: skip
    return OpenStackApi(connection, cloud.id)


def _naive(at: datetime) -> str:
    return at.astimezone(UTC).replace(tzinfo=None).isoformat()


def _is_list_of_objects(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(one, dict) for one in value)


def _next_query(body: Json, name: str) -> dict[str, str] | None:
    """The query of the next page: nova's list ``NAME_links``, keystone's ``links.next``."""
    links = body.get(f"{name}_links")
    if links is None:
        links = [{"rel": "next", "href": (body.get("links") or {}).get("next")}]
    following = next((link["href"] for link in links if link["rel"] == "next"), None)
    if not following:
        return None
    return {key: values[-1] for key, values in parse_qs(urlsplit(following).query).items()}


@contextmanager
def _told(cloud: str) -> Iterator[None]:
    """What the SDK raises, as our errors: a refused login is the reader's to mend, else the cloud does not answer."""
    from keystoneauth1 import exceptions as auth  # noqa: PLC0415 - comes with the SDK, as late as it
    from openstack import exceptions as sdk  # noqa: PLC0415

    try:
        yield
    except auth.Unauthorized as error:
        raise _refused(cloud) from error
    except (auth.EndpointNotFound, auth.DiscoveryFailure) as error:
        raise UnreachableError(
            "the cloud has no usable endpoint: {reason}",
            "check the cloud's url, and region_name and interface of its credentials",
            where=cloud,
            reason=_first_line(error),
        ) from error
    except (auth.ClientException, sdk.SDKException, OSError, ValueError) as error:
        raise UnreachableError(
            "the cloud does not answer: {reason}",
            "check its url, the region_name of its credentials, and the way to it",
            where=cloud,
            reason=_first_line(error),
        ) from error


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:_SHOWN]


def _refused(cloud: str) -> UserError:
    return UserError(
        "the cloud refuses the login",
        "correct user, password, project or domains with `yw secret set NAME`",
        where=cloud,
    )


def _check_status(answer: Any, cloud: str) -> None:
    status, path = answer.status_code, urlsplit(answer.url).path
    if status == HTTPStatus.OK:
        return
    if status == HTTPStatus.UNAUTHORIZED:  # after the SDK has logged in anew
        raise _refused(cloud)
    if status == HTTPStatus.FORBIDDEN:
        raise UserError("the account may not read {path}", "give it the role admin", where=cloud, path=path)
    if status == HTTPStatus.NOT_ACCEPTABLE:
        raise UserError(
            "the cloud's nova is older than microversion {version}",
            "meter it from usage tables with `yw meter import`",
            where=cloud,
            version=SERVERS_VERSION,
        )
    raise UnreachableError(
        "{path} answered {status}: {text}",
        "look at the cloud's own logs; the span is collected again",
        where=cloud,
        path=path,
        status=status,
        text=" ".join(answer.text.split())[:_SHOWN],
    )
