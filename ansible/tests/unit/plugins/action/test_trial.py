# Copyright: the fwmarkctl contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import pytest

from ansible.errors import AnsibleActionFail, AnsibleConnectionFailure
from ansible_collections.fwmarkctl.lvs.plugins.action.config import ActionModule as Config
from ansible_collections.fwmarkctl.lvs.plugins.plugin_utils import trial

PENDING = dict(generation=7, deadline="2026-11-23T14:06:20Z", seconds_left=60)


class Shell(object):
    tmpdir = "/root/.ansible/tmp/old"


class Connection(object):
    def __init__(self, log):
        self.log, self._shell = log, Shell()

    def reset(self):
        self.log.append("reset")


class Task(object):
    def __init__(self, args):
        self.args = args


class Clock(object):
    """A clock that a pause moves on."""

    now = 1000.0

    def time(self):
        return self.now

    def sleep(self, seconds):
        self.now += seconds


def trial_of(answers, args, monkeypatch):
    log, answers = [], list(answers)

    class Tried(trial.Trial):
        def __init__(self):
            self._task, self._connection = Task(args), Connection(log)

        def _execute_module(self, module_name=None, module_args=None, task_vars=None, **how):
            log.append((module_name, module_args))
            answer = answers.pop(0) if len(answers) > 1 else answers[0]
            if isinstance(answer, Exception):
                raise answer
            return dict(answer)

        def _remove_tmp_path(self, tmp_path, force=False):
            log.append(("removed", tmp_path))

    monkeypatch.setattr(trial, "time", Clock())
    monkeypatch.setattr(trial.ActionBase, "run", lambda *args, **more: {})
    return Tried().run(task_vars={}), log


def test_what_is_not_on_trial_needs_no_second_connection(monkeypatch):
    for answer in [dict(changed=True), dict(failed=True, msg="no")]:
        result, log = trial_of([answer], dict(state="applied"), monkeypatch)
        assert result == answer and log == [(None, dict(state="applied"))]


def test_a_trial_is_confirmed_over_a_new_connection_with_the_same_places(monkeypatch):
    args = dict(name="web", confirm_within="60s", executable="/opt/fwmarkctl", run_dir="/r")
    answers = [dict(changed=True, pending=PENDING), dict(changed=True, generation=7)]
    result, log = trial_of(answers, args, monkeypatch)
    assert result == dict(changed=True, confirmed=True)
    confirm = dict(state="confirmed", generation=7, executable="/opt/fwmarkctl", run_dir="/r")
    assert log[1:3] == ["reset", ("fwmarkctl.lvs.state", confirm)]
    assert log[3] == ("removed", Shell.tmpdir)


def test_who_cannot_connect_tries_until_the_time_is_over_and_fails(monkeypatch):
    answers = [dict(changed=True, pending=PENDING), AnsibleConnectionFailure("no route")]
    result, log = trial_of(answers, dict(name="web"), monkeypatch)
    assert result["failed"] and result["confirmed"] is False and result["pending"] == PENDING
    assert "returns by itself at 2026-11-23T14:06:20Z" in result["msg"] and "no route" in result["msg"]
    assert log.count("reset") == 30


def test_who_connects_late_is_in_time(monkeypatch):
    lost = [AnsibleConnectionFailure("no"), dict(unreachable=True, msg="no")]
    answers = [dict(changed=True, pending=PENDING)] + lost + [dict(changed=True)]
    result, log = trial_of(answers, dict(name="web"), monkeypatch)
    assert result == dict(changed=True, confirmed=True) and log.count("reset") == 3


def test_a_refused_confirmation_fails_at_once_with_what_the_program_said(monkeypatch):
    refusal = dict(failed=True, msg="its time was over", error=dict(kind="expired"), rc=1)
    result, log = trial_of([dict(changed=True, pending=PENDING), refusal], dict(), monkeypatch)
    assert result["failed"] and result["error"] == dict(kind="expired") and result["rc"] == 1
    assert "its time was over" in result["msg"] and log.count("reset") == 1


def test_a_source_is_read_on_the_controller(tmp_path):
    file = tmp_path / "fwmarkctl.toml"
    file.write_bytes(u"# \u00fcber\n".encode("utf-8"))

    class Read(Config):
        def __init__(self, args):
            self._task, self._loader = Task(args), self

        def _find_needle(self, dirname, needle):
            assert dirname == "files"
            return str(tmp_path / needle)

        def get_real_file(self, path):
            return path

    assert Read(dict(src="fwmarkctl.toml", purge=True)).arguments({}) == dict(content=u"# \u00fcber\n", purge=True)
    with pytest.raises(AnsibleActionFail):
        Read(dict(src="other.toml")).arguments({})
    # Both is the module's to refuse.
    assert Read(dict(src="a", content="b")).arguments({}) == dict(src="a", content="b")
