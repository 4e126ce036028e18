# Copyright: the fwmarkctl contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import json

import pytest

from ansible_collections.fwmarkctl.lvs.plugins.module_utils import program
from ansible_collections.fwmarkctl.lvs.plugins.modules import config, group, state

CHANGE = dict(phase="stage", action="change", object="real-server", group="web", key="fwmark 10 ipv4 10.0.0.1")
PLAN = dict(
    format=1,
    in_sync=False,
    changes=[dict(CHANGE, before="dr weight 1", after="dr weight 2")],
    summary=dict(add=0, change=1, remove=0),
    generation=7,
    notes=["apply asks first"],
)
EDIT = dict(
    format=1,
    command="group put",
    group="web",
    file="web.toml",
    created=False,
    changes=[dict(action="change", object="key", name="ports")],
    diff="-old\n+new\n",
    written=True,
    apply=None,
)


class Ended(Exception):
    pass


class FakeModule(object):
    """A module whose program answers what it was told to."""

    def __init__(self, params, answers, check_mode=False, diff=False):
        self.params = dict(executable="fwmarkctl", config_file=None, state_dir=None, run_dir=None)
        self.params.update(confirm_within=None, accept_loss=False, wait=True, apply=False)
        self.params.update(params)
        self.check_mode, self._diff = check_mode, diff
        self.answers, self.commands, self.documents, self.warnings = list(answers), [], [], []
        self.ended = None

    def get_bin_path(self, name, required=False):
        return "/sbin/" + name

    def run_command(self, command, data=None, **how):
        self.commands.append(" ".join(command))
        self.documents.append(data)
        code, answer = self.answers.pop(0)
        return code, answer if isinstance(answer, str) else json.dumps(answer), "said on the side"

    def warn(self, text):
        self.warnings.append(text)

    def fail_json(self, **result):
        self.ended = dict(result, failed=True)
        raise Ended()

    def exit_json(self, **result):
        self.ended = result
        raise Ended()


def run(work, params, *answers, **how):
    module = FakeModule(params, answers, **how)
    with pytest.raises(Ended):
        program.finish(module, work)
    assert module.answers == [], "all was asked"
    return module


def group_params(**given):
    return dict(dict.fromkeys(group.KEYS), **dict(dict(name="web", state="present", file=None), **given))


def state_params(**given):
    return dict(dict(state="applied", generation=None, adopt=False), **given)


def test_a_group_goes_to_the_program_as_a_document_without_what_was_not_said():
    server = dict(address="10.0.0.1", port=None, weight=2, forward=None, upper_threshold=5, lower_threshold=None)
    params = group_params(vips=["192.0.2.1"], one_packet=True, real=[server], apply=True, confirm_within="60s")
    pending = dict(generation=7, deadline="2026-11-23T14:06:20Z", seconds_left=60)
    told = run(group.work, params, (0, dict(EDIT, apply=PLAN, pending=pending)), diff=True)
    assert told.commands == ["/sbin/fwmarkctl -o json group put web --apply --confirm-within 60s"]
    assert json.loads(told.documents[0]) == {
        "vips": ["192.0.2.1"],
        "one-packet": True,
        "real": [{"address": "10.0.0.1", "weight": 2, "upper-threshold": 5}],
    }
    assert told.ended["changed"] and told.ended["generation"] == 7 and told.ended["pending"] == pending
    assert told.ended["diff"][0] == dict(prepared="-old\n+new\n")
    assert told.ended["diff"][1]["before"] == "real-server fwmark 10 ipv4 10.0.0.1: dr weight 1\n"
    assert told.warnings == ["apply asks first"]


def test_check_mode_is_a_dry_run_and_options_come_before_the_command():
    params = group_params(vips=["192.0.2.1"], config_file="/a.toml", state_dir="/s", run_dir="/r", wait=False)
    told = run(group.work, params, (0, dict(EDIT, diff="", changes=[])), check_mode=True, diff=True)
    begin = "/sbin/fwmarkctl -o json --config /a.toml --state-dir /s --run-dir /r group put web"
    assert told.commands == [begin + " --no-wait --dry-run"]
    assert not told.ended["changed"] and told.ended["diff"] == []


def test_a_file_that_is_right_and_a_kernel_that_drifted_is_a_change():
    params = group_params(vips=["192.0.2.1"], apply=True)
    told = run(group.work, params, (0, dict(EDIT, diff="", changes=[], apply=PLAN)))
    assert told.ended["changed"]


@pytest.mark.parametrize(
    "state, vips, command, document",
    [
        ("enabled", None, "group enable web", None),
        ("disabled", None, "group disable web", None),
        ("disabled", ["192.0.2.1"], "group put web", {"vips": ["192.0.2.1"], "enabled": False}),
    ],
)
def test_a_group_is_switched_with_its_keys_or_without(state, vips, command, document):
    told = run(group.work, group_params(state=state, vips=vips), (0, EDIT))
    assert told.commands == ["/sbin/fwmarkctl -o json " + command]
    assert document == (told.documents[0] and json.loads(told.documents[0]))


def test_a_group_that_is_not_there_is_absent_already():
    known = (0, dict(format=1, groups=[dict(name="mail")]))
    told = run(group.work, group_params(state="absent"), known)
    assert told.ended["changed"] is False
    told = run(group.work, group_params(state="absent", name="mail"), known, (0, EDIT))
    assert told.commands[1].endswith("group remove mail") and told.ended["changed"]


def test_a_configuration_is_toml_as_it_is_or_groups_in_the_programs_words():
    empty = dict(content=None, src=None, groups=None, director=None, purge=False)
    told = run(config.work, dict(empty, content="# mine\n", purge=True), (0, dict(EDIT, removed=["/b"])))
    assert told.commands == ["/sbin/fwmarkctl -o json replace --purge"]
    assert told.documents == [b"# mine\n"] and told.ended["removed"] == ["/b"]
    groups = dict(a_b=dict(one_packet=True, real=["10.0.0.1", dict(address="10.0.0.2", upper_threshold=1)]))
    director = dict(ask_above="80%", sysctl={"vs.sync_threshold": "3 50"})
    told = run(config.work, dict(empty, groups=groups, director=director), (0, EDIT))
    assert json.loads(told.documents[0]) == {
        "director": {"ask-above": "80%", "sysctl": {"vs.sync_threshold": "3 50"}},
        "group": {"a_b": {"one-packet": True, "real": ["10.0.0.1", {"address": "10.0.0.2", "upper-threshold": 1}]}},
    }


def test_states_are_asked_for_by_the_programs_commands():
    for params, check, command in [
        (dict(adopt=True, accept_loss=True), False, "apply --adopt --yes"),
        (dict(adopt=True, accept_loss=True, confirm_within="60s"), True, "plan --adopt"),
        (dict(state="restored", generation=3), False, "rollback 3"),
        (dict(state="restored", generation=3), True, "rollback 3 --dry-run"),
        (dict(state="rolled_back", wait=False), False, "rollback --no-wait"),
        (dict(state="cleared"), False, "clear --yes"),
        (dict(state="cleared"), True, "clear --dry-run"),
    ]:
        told = run(state.work, state_params(**params), (0, PLAN), check_mode=check)
        assert told.commands == ["/sbin/fwmarkctl -o json " + command]
        assert told.ended["changed"] and told.ended["plan"]["summary"]["change"] == 1


def test_a_trial_of_somebody_else_is_none_of_a_plan():
    pending = dict(generation=9, deadline="2026-11-23T14:06:20Z", seconds_left=60)
    told = run(state.work, state_params(), (0, dict(PLAN, pending=pending)), check_mode=True)
    assert "pending" not in told.ended


def test_what_waits_is_confirmed_once_and_nothing_else():
    def waits(pending):
        return (0, dict(format=1, pending=pending))

    seven = dict(generation=7, deadline="2026-11-23T14:06:20Z", seconds_left=60)
    wanted = state_params(state="confirmed", generation=7)
    told = run(state.work, wanted, waits(seven), (0, dict(format=1, confirmed=True, generation=7)))
    assert told.commands[1].endswith(" confirm") and told.ended["changed"]
    told = run(state.work, wanted, waits(seven), check_mode=True)
    assert told.ended["changed"]
    told = run(state.work, wanted, waits(None), (0, dict(format=1, head=7)))
    assert told.ended["changed"] is False
    told = run(state.work, wanted, waits(None), (0, dict(format=1, head=6)))
    assert told.ended["failed"] and "generation 7 does not wait" in told.ended["msg"]
    told = run(state.work, wanted, waits(dict(seven, generation=8)))
    assert told.ended["failed"]
    told = run(state.work, state_params(state="confirmed"), waits(None))
    assert told.ended["changed"] is False


def failure(code, **error):
    answer = (code, dict(format=1, error=dict(dict(kind="usage", message="no", hint=None, spans=[]), **error)))
    return run(state.work, state_params(), answer).ended


def test_every_mistake_is_told_with_its_place_its_code_and_its_remedy():
    mistake = dict(code="E0213", message="unknown scheduler 'wlcx'", hint="did you mean 'wlc'?", group="web")
    place = dict(file="/etc/fwmarkctl/groups.d/web.toml", line=4, column=13)
    other = dict(code="E0201", message="port 0", hint=None, group="web", spans=[])
    ended = failure(2, kind="config", errors=[dict(mistake, spans=[place]), other], omitted=3)
    assert ended["msg"].splitlines() == [
        "/etc/fwmarkctl/groups.d/web.toml:4:13: [E0213] unknown scheduler 'wlcx' (did you mean 'wlc'?)",
        "[E0201] port 0",
        "and 3 more",
    ]
    assert ended["rc"] == 2 and ended["error"]["errors"][0]["code"] == "E0213"


def test_what_is_incomplete_calls_for_a_person_and_says_what_remains():
    remaining = [dict(CHANGE, before="dr weight 1", after=None)]
    ended = failure(4, kind="incomplete", message="the way back failed", hint="fwmarkctl recover", remaining=remaining)
    assert ended["msg"].splitlines() == [
        "Neither done nor undone: a person is needed on this director.",
        "the way back failed (fwmarkctl recover)",
        "still differs: change real-server fwmark 10 ipv4 10.0.0.1: dr weight 1",
    ]
    assert ended["rc"] == 4


def test_who_holds_the_lock_and_what_is_in_the_way_is_told():
    ended = failure(5, kind="locked", message="process 7 of root applies")
    assert ended["rc"] == 5 and ended["msg"].startswith("Another fwmarkctl is at work there")
    conflict = dict(key="fwmark 10 ipv4", group="web", found="wlc", wanted="rr")
    ended = failure(2, kind="conflict", message="1 service is not ours", conflicts=[conflict])
    assert "fwmark 10 ipv4 is wlc, and not ours; wanted: rr" in ended["msg"]


def test_a_program_that_says_something_else_is_told_apart():
    for answer in ["", "[]", "Segmentation fault", dict(format=2)]:
        ended = run(state.work, state_params(), (139, answer)).ended
        assert ended["failed"] and "139" in ended["msg"] and "no document of format 1" in ended["msg"]
