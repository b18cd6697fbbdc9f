"""The configuration of notices: every mistake named, with its line, all at once."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from notify.channels.kinds import KINDS, masked
from notify.channels.make import MAKERS, Configured
from notify.notice import Retry
from notify.routing import Route, Step
from records.alarms import Level
from records.errors import UserError
from records.secret import Secret
from tests.notify.story import a_message
from yunwang.settings import Settings, load, origins

GOOD = """
[notify.ops]
kind = "dingtalk"
url = "https://oapi.dingtalk.com/robot/send?access_token=verysecret"
secret = "secret:ding"

[notify.mail]
kind = "smtp"
url = "smtp://mail.hlj.example:587"
sender = "yunwang@hlj.example"
username = "yunwang"
secret = "secret:mail"

[notify.sms]
kind = "sms"
url = "secret:sms-url"
template = '{"to": "{mobiles}", "text": "{text}"}'

[notify_routes.finance]
organisations = ["fin"]
channels = ["ops"]
quiet = ["22:00-07:00"]
escalate = [{after_minutes = 15, channels = ["sms", "mail"], rosters = ["chiefs"]}]

[notify_rosters.chiefs]
duties = [{name = "王", mobile = "13800000000", mail = "w@hlj.example", hours = ["mon-fri 08:00-18:00"]}, {name = "李"}]

[notify_policy]
console_url = "https://yunwang.hlj.example"
"""


def written(folder: Path, text: str) -> Settings:
    file = folder / "yunwang.toml"
    file.write_text(text, "utf-8")
    return load(file, {})


def problems(folder: Path, text: str) -> list[tuple[str, str]]:
    with pytest.raises(UserError) as caught:
        written(folder, text)
    return [(one.where.removeprefix(f"{folder}/yunwang.toml:"), one.text()) for one in caught.value.problems]


def test_good(tmp_path: Path) -> None:
    found = written(tmp_path, GOOD)
    route = found.notify_routes["finance"].route("finance")

    assert isinstance(route, Route)
    assert route.steps == (
        Step(channels=("ops",)),
        Step(channels=("sms", "mail"), rosters=("chiefs",), after=timedelta(minutes=15)),
    )
    assert route.levels == {Level.HIGH, Level.CRITICAL}
    assert [one.person.name for one in found.notify_rosters["chiefs"].roster().duties] == ["王", "李"]


def test_what_is_shown_hides_tokens_and_tells_the_line(tmp_path: Path) -> None:
    settings = written(tmp_path, GOOD)
    rows = {row["key"]: row for row in origins(tmp_path / "yunwang.toml", settings, {})}

    assert "verysecret" not in settings.model_dump_json()
    assert rows["notify.ops"]["value"]["url"] == "https://oapi.dingtalk.com/***?***"
    assert rows["notify.ops"]["origin"] == f"{tmp_path}/yunwang.toml:2"
    assert rows["notify_routes.finance"]["origin"] == f"{tmp_path}/yunwang.toml:19"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        pytest.param('[notify.a]\nkind = "pigeon"\nurl = "x"', ("2", "one of dingtalk"), id="kind"),
        pytest.param('[notify.a]\nkind = "webhook"', ("1", "'notify.a.url' is missing"), id="no url"),
        pytest.param('[notify.a]\nkind = "webhook"\nurl = "https://x"\ncolour = 1', ("4", "unknown key"), id="unknown key"),
        pytest.param('[notify]\nkind = "webhook"', ("2", "section"), id="no name"),
        pytest.param('[notify.a]\nkind = "wecom"\nurl = "https://x"\n\nsecret = "secret:s"', ("5", "not for kind 'wecom'"), id="key of another kind"),
        pytest.param('[notify.a]\nkind = "webhook"\nurl = "https://x"\nsecret = "word"', ("4", "literal secret"), id="literal secret"),
        pytest.param('[notify.a]\nkind = "webhook"\nurl = "ftp://x"', ("3", "no address"), id="scheme"),
        pytest.param('[notify.a]\nkind = "webhook"\nurl = "https://u:p@x"', ("3", "no address"), id="password in the address"),
        pytest.param('[notify.a]\nkind = "syslog"\nurl = "udp://x:99999"', ("3", "no address"), id="port"),
        pytest.param('[notify.a]\nkind = "smtp"\nurl = "smtp://x"', ("1", "needs 'sender'"), id="mail without sender"),
        pytest.param('[notify.a]\nkind = "sms"\nurl = "https://x"', ("1", "needs 'template'"), id="sms without template"),
        pytest.param('[notify.a]\nkind = "smtp"\nurl = "smtp://x"\nsender = "a@b"\nsecret = "secret:s"\nstarttls = false', ("6", "without TLS"), id="password in the clear"),
        pytest.param('[notify.a]\nkind = "webhook"\nurl = "https://x"\ntimeout_seconds = 999', ("4", "at most 30"), id="bounds"),
        pytest.param('[notify_routes.r]\nchannels = ["a"]', ("2", "no channel 'a'"), id="unknown channel"),
        pytest.param("[notify_routes.r]\nchannels = []", ("2", "channels"), id="no channel"),
        pytest.param('[notify_routes.r]\nchannels = ["a"]\nlevels = ["informational"]', ("3", "one of critical"), id="level"),
        pytest.param('[notify_routes.r]\nchannels = ["a"]\nquiet = ["late"]', ("3", "it is written like"), id="span"),
        pytest.param('[notify_rosters.r]\nduties = [{name = "w", mail = "no"}]', ("2", "must match"), id="mail"),
        pytest.param('[notify_rosters.r]\nduties = [{name = "w", phone = "1"}]', ("2", "unknown key"), id="roster key"),
        pytest.param("[notify_policy]\ntries = 0", ("2", "at least 1"), id="figures"),
    ],
)  # fmt: skip
def test_mistakes(tmp_path: Path, text: str, found: tuple[str, str]) -> None:
    (one, *_) = problems(tmp_path, text)
    assert one[0] == found[0]
    assert found[1] in one[1]


def test_all_mistakes_at_once(tmp_path: Path) -> None:
    text = GOOD.replace('["ops"]', '["gone"]').replace('rosters = ["chiefs"]', 'rosters = ["no"]').replace('sender = "yunwang@hlj.example"', "")  # fmt: skip
    assert {one[1] for one in problems(tmp_path, text)} == {
        "there is no channel 'gone'", "there is no roster 'no'", "kind 'smtp' needs 'sender'"
    }  # fmt: skip


def test_steps_that_do_not_rise(tmp_path: Path) -> None:
    steps = 'escalate = [{after_minutes = 15, channels = ["ops"]}, {after_minutes = 15, channels = ["sms"]}]\n'
    text = "\n".join(line for line in GOOD.splitlines() if not line.startswith("escalate"))
    (one,) = problems(tmp_path, text.replace('quiet = ["22:00-07:00"]', steps))
    assert one == ("22", "the minutes of the steps must rise")


def test_unknown_keys_are_told_what_is_known(tmp_path: Path) -> None:
    with pytest.raises(UserError) as caught:
        written(tmp_path, '[notify_rosters.r]\nduties = [{name = "w", phone = "1"}]')
    assert caught.value.problems[0].advice() == "known here: name, mobile, mail, hours"


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://open.feishu.cn/open-apis/bot/v2/hook/token", "https://open.feishu.cn/***"),
        ("https://x/?key=1", "https://x/?***"),
        ("smtp://mail:25", "smtp://mail:25"),
        ("secret:name", "secret:name"),
        ("http://[::1", "***"),
        ("https://user:word@host/", "https://host/"),
    ],
)
def test_masked(url: str, shown: str) -> None:
    assert masked(url) == shown


def test_every_kind_can_be_made() -> None:
    assert set(MAKERS) == set(KINDS)
    options = {option for kind in KINDS.values() for option in kind.options}
    from notify.channels.kinds import Config  # noqa: PLC0415 - beside its only use

    assert options | {"kind", "url", "per_minute", "timeout_seconds"} == set(Config.__slots__)


def test_a_secret_that_is_missing_delays_and_heals(tmp_path: Path) -> None:
    config = written(tmp_path, GOOD).notify["ops"].config()
    known: dict[str, Secret] = {}

    def resolve(reference: str) -> Secret:
        if reference not in known:
            raise UserError("there is no secret '{name}'", "store it", name=reference)
        return known[reference]

    channel = Configured(config=config, resolve=resolve)
    first = channel.send(a_message())
    assert isinstance(first, Retry)
    assert (first.why.values, first.reached, channel.per_minute) == (
        {"reason": "there is no secret 'secret:ding'"},
        False,
        20,
    )
