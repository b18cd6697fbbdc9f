"""钉钉, 企业微信, 飞书 against fakes that check signature and limit as the public documents state."""

from __future__ import annotations

import pytest

from notify.channels.dingtalk import DingTalk
from notify.channels.feishu import Feishu
from notify.channels.kinds import KINDS
from notify.channels.wecom import WeCom
from notify.notice import Delivered, Failed, Person, Retry, Why
from notify.web import Reach
from records.secret import Secret
from tests.notify.robots import FakeDingTalk, FakeFeishu, FakeWeCom, said
from tests.notify.story import a_message, a_notice, web

HOME = Reach(private=True, seconds=5)
NOW_MS = 1_700_000_000_123
WANG = Person(name="王", mobile="13800000000")


def dingtalk(url: str, word: str | None = "SECx", at: int = NOW_MS) -> DingTalk:
    address = Secret(f"{url}/robot/send?access_token=token")
    return DingTalk(url=address, secret=Secret(word) if word else None, reach=HOME, clock_ms=lambda: at)


def feishu(url: str, word: str = "s", at: int = NOW_MS) -> Feishu:
    address = Secret(f"{url}/open-apis/bot/v2/hook/token")
    return Feishu(url=address, secret=Secret(word), reach=HOME, clock_ms=lambda: at)


def wecom(url: str, key: str = "key") -> WeCom:
    return WeCom(url=Secret(f"{url}/cgi-bin/webhook/send?key={key}"), reach=HOME)


def test_dingtalk_takes_it_with_those_on_duty_named() -> None:
    fake = FakeDingTalk(secret="SECx", now_ms=NOW_MS)
    with web(fake) as peer:
        assert dingtalk(peer.url).send(a_message(to=(WANG,))) == Delivered()
    (body,) = fake.taken
    assert body == {
        "msgtype": "text",
        "text": {"content": "[高] 链路中断\n时间：2026-11-23 12:00:00\n链路：hlj-hrb-1\n值班：王"},
        "at": {"atMobiles": ["13800000000"], "isAtAll": False},
    }


@pytest.mark.parametrize(
    ("secret", "at"),
    [
        pytest.param("SECy", NOW_MS, id="wrong secret"),
        pytest.param(None, NOW_MS, id="no signature"),
        pytest.param("SECx", NOW_MS - 3_700_000, id="clock an hour behind"),
    ],
)
def test_dingtalk_refuses_and_it_is_told_why(secret: str | None, at: int) -> None:
    with web(FakeDingTalk(secret="SECx", now_ms=NOW_MS)) as peer:
        answer = dingtalk(peer.url, secret, at).send(a_message())
    assert answer == Failed(why=Why("it refuses: {code} {text}", {"code": 310000, "text": "sign not match"}))


def test_dingtalk_over_its_limit_is_left_alone_for_ten_minutes() -> None:
    fake = FakeDingTalk(secret="SECx", now_ms=NOW_MS)
    with web(fake) as peer:
        receipts = [dingtalk(peer.url).send(a_message()) for _ in range(21)]
    assert receipts[:20] == [Delivered()] * 20
    assert isinstance(receipts[20], Retry)
    assert (receipts[20].after_seconds, receipts[20].reached) == (600.0, False)


def test_wecom_takes_2048_bytes_and_not_more() -> None:
    fake = FakeWeCom()
    long = [a_notice(number, title="长" * 200, body=("x" * 400,) * 20) for number in range(9)]
    with web(fake) as peer:
        assert wecom(peer.url).send(a_message(*long, to=(WANG,))) == Delivered()
        assert isinstance(wecom(peer.url, key="other").send(a_message()), Failed)
        rest = [wecom(peer.url).send(a_message()) for _ in range(20)]
    (text, *_) = (body["text"] for body in fake.taken)
    assert 2000 < len(text["content"].encode()) <= 2048
    assert (text["content"][-1], text["mentioned_mobile_list"]) == ("…", ["13800000000"])
    assert (rest[18], getattr(rest[19], "after_seconds", None)) == (Delivered(), 60.0)


def test_feishu_signs_and_a_log_line_calls_nobody() -> None:
    fake = FakeFeishu(secret="s", now=NOW_MS // 1000)
    evil = a_notice(body=('用户：<at user_id="all">所有人</at>',))
    with web(fake) as peer:
        assert feishu(peer.url).send(a_message(evil)) == Delivered()
        assert isinstance(feishu(peer.url, "wrong").send(a_message()), Failed)
        assert isinstance(feishu(peer.url, at=NOW_MS - 4_000_000).send(a_message()), Failed)
    (body,) = fake.taken
    assert body["msg_type"] == "text"
    assert "<" not in body["content"]["text"]


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        pytest.param(said(errcode=-1, errmsg="busy"), Retry, id="busy"),
        pytest.param((200, b"<html>proxy</html>", {}), Retry, id="no JSON"),
        pytest.param((200, b"[]", {}), Retry, id="another JSON"),
        pytest.param(said(errmsg="ok"), Retry, id="no code"),
        pytest.param(said(errcode=False, errmsg="ok"), Failed, id="false is not 0"),
        pytest.param(said(errcode="0", errmsg="ok"), Failed, id="nor is a text"),
        pytest.param(said(errcode={"a": [1]}, errmsg="ok"), Failed, id="nor is anything else"),
        pytest.param((500, b"", {}), Retry, id="500"),
        pytest.param((404, b"", {}), Failed, id="404"),
        pytest.param((302, b"", {"Location": "http://169.254.169.254/"}), Failed, id="redirect"),
    ],
)
def test_what_an_answer_means(answer, outcome: type) -> None:
    with web(lambda _: answer) as peer:
        assert type(wecom(peer.url).send(a_message())) is outcome
    assert len(peer.got) == 1


def test_robots_are_not_claimed_to_be_verified() -> None:
    assert {name for name, kind in KINDS.items() if not kind.verified} == {"dingtalk", "wecom", "feishu", "sms"}
    assert {name: KINDS[name].per_minute for name in ("dingtalk", "wecom", "feishu")} == {
        "dingtalk": 20, "wecom": 20, "feishu": 100
    }  # fmt: skip
