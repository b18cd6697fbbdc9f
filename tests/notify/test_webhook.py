"""The generic webhook and the SMS gateway."""

from __future__ import annotations

import hashlib
import hmac
import json
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notify.channels.kinds import FORM_TYPE, JSON_TYPE
from notify.channels.sms import Sms, _escape_of, filled
from notify.channels.webhook import Webhook
from notify.notice import Delivered, Failed, Person, Retry
from notify.web import Reach
from records.secret import Secret
from tests.notify.story import a_message, a_notice, web

HOME = Reach(private=True, seconds=5)
AT_MS = 1_700_000_000_000


def hook(url: str) -> Webhook:
    return Webhook(url=Secret(url), secret=Secret("shared"), reach=HOME, clock_ms=lambda: AT_MS)


def test_a_receiver_can_check_who_wrote_it_and_drop_repetitions() -> None:
    with web(lambda _: (204, b"", {})) as peer:
        receipts = [hook(peer.url).send(a_message(repeated=again)) for again in (False, True)]

    first, second = peer.got
    assert receipts == [Delivered(), Delivered()]
    for one in peer.got:
        at, nonce = one.headers["x-yunwang-timestamp"], one.headers["x-yunwang-nonce"]
        signed = f"{at}.{nonce}.".encode() + one.body
        expected = "v1=" + hmac.new(b"shared", signed, hashlib.sha256).hexdigest()
        assert (one.headers["x-yunwang-signature"], at) == (expected, "1700000000")
    assert first.headers["x-yunwang-delivery"] == second.headers["x-yunwang-delivery"] == "m1"
    assert first.headers["x-yunwang-nonce"] != second.headers["x-yunwang-nonce"]


def test_what_a_receiver_gets() -> None:
    with web(lambda _: (200, b"", {})) as peer:
        hook(peer.url).send(a_message(a_notice(organisation=None), to=(Person(name="王", mobile="138"),)))
    assert json.loads(peer.got[0].body) == {
        "id": "m1",
        "title": "[高] 链路中断",
        "level": "high",
        "step": 0,
        "repeated": False,
        "to": [{"name": "王", "mobile": "138", "mail": None}],
        "notices": [
            {
                "id": "n1", "at": "2026-11-23T04:00:00Z", "kind": "alert", "level": "high", "title": "链路中断",
                "body": ["链路：hlj-hrb-1"], "organisation": None, "alert": "a1", "links": {}, "fields": {},
            }
        ],
    }  # fmt: skip


def test_loopback_is_refused_unless_the_channel_says_private() -> None:
    with web(lambda _: (200, b"", {})) as peer:
        closed = Webhook(url=Secret(peer.url), secret=None, reach=Reach(), clock_ms=lambda: AT_MS)
        assert isinstance(closed.send(a_message()), Failed)
    assert peer.got == []


def sms(url: str, template: str, content_type: str = JSON_TYPE, **changed: object) -> Sms:
    values = {"mobiles": (), "success": "", "secret": Secret('k"&'), "reach": HOME} | changed
    return Sms(url=Secret(url), template=template, content_type=content_type, **values)  # type: ignore[arg-type]


EVIL = '王"}, {"a": "&b={secret}\\'


def test_sms_fields_are_escaped_for_where_they_stand() -> None:
    people = (Person(name="a", mobile="138"), Person(name="b"), Person(name="c", mobile="139"))
    message = a_message(a_notice(title=EVIL), to=people)
    with web(lambda _: (200, b"", {})) as peer:
        template = '{"to": "{mobiles}", "key": "{secret}", "say": "{title}", "other": {"x": 1}}'
        assert sms(f"{peer.url}/send?id={{id}}&t={{title}}", template).send(message) == Delivered()
        form = "to={mobiles}&key={secret}&say={title}&{unknown}"
        assert sms(f"{peer.url}/send", form, FORM_TYPE).send(message) == Delivered()

    in_json, in_form = peer.got
    assert json.loads(in_json.body) == {"to": "138,139", "key": 'k"&', "say": f"[高] {EVIL}", "other": {"x": 1}}
    assert parse_qs(urlsplit(in_json.path).query) == {"id": ["m1"], "t": [f"[高] {EVIL}"]}
    assert parse_qs(in_form.body.decode()) == {"to": ["138,139"], "key": ['k"&'], "say": [f"[高] {EVIL}"]}


@given(st.text(), st.sampled_from([JSON_TYPE, FORM_TYPE]))
def test_whatever_is_filled_in_comes_out_the_same(text: str, content_type: str) -> None:
    body = filled('{"say": "{title}"}' if content_type == JSON_TYPE else "say={title}", {"title": text}, _escape_of(content_type))  # fmt: skip
    if content_type == JSON_TYPE:
        assert json.loads(body) == {"say": text}
    else:
        assert parse_qs(body, keep_blank_values=True) == {"say": [text]}


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        pytest.param((200, b'{"code": 0}', {}), Delivered, id="success"),
        pytest.param((200, b'{"code": 7, "text": "no credit"}', {}), Retry, id="its own error in a 200"),
        pytest.param((500, b'{"code": 0}', {}), Retry, id="500 is no success"),
        pytest.param((403, b"", {}), Failed, id="refused"),
    ],
)
def test_sms_success_is_what_the_operator_says(answer, outcome: type) -> None:
    with web(lambda _: answer) as peer:
        gateway = sms(peer.url, "{}", success='"code": 0', mobiles=("138",))
        assert type(gateway.send(a_message())) is outcome


def test_sms_to_nobody_is_told() -> None:
    assert isinstance(sms("http://127.0.0.1:1/", "{}").send(a_message()), Failed)
