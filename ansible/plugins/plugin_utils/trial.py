# Copyright: the fwmarkctl contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs a module that may begin a trial, and confirms the trial over a new connection.

The director keeps the time. So whatever becomes of the connection, of this process or of the
controller: who does not come back in time has the old state there.
"""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import time

from ansible.errors import AnsibleConnectionFailure, AnsibleError
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display

display = Display()

CONFIRM = "fwmarkctl.lvs.state"

# Of the module's options those that say which program, and where its files are.
PLACES = ("executable", "config_file", "state_dir", "run_dir")

# Seconds between two tries to connect.
PAUSE = 2


class Trial(ActionBase):
    """An action that runs the module of its own name."""

    def arguments(self, task_vars):
        """The module's arguments."""
        return self._task.args.copy()

    def run(self, tmp=None, task_vars=None):
        result = super(Trial, self).run(tmp, task_vars)
        arguments = self.arguments(task_vars)
        result.update(self._execute_module(module_args=arguments, task_vars=task_vars))
        pending = result.get("pending")
        if pending is None or result.get("failed"):
            return result
        return self.confirm(result, arguments, pending, task_vars)

    def confirm(self, result, arguments, pending, task_vars):
        """Confirms a trial, and tells of it."""
        old = self._connection._shell.tmpdir
        places = dict((key, arguments[key]) for key in PLACES if arguments.get(key) is not None)
        wanted = dict(places, state="confirmed", generation=pending["generation"])
        said = self.insist(wanted, time.time() + pending["seconds_left"], task_vars)
        result["confirmed"] = not said.get("failed") and not said.get("unreachable")
        if result["confirmed"]:
            # The folder of the first connection, which the one of now can reach.
            if old:
                self._remove_tmp_path(old)
            del result["pending"]
            return result
        why = said.get("msg") or "no reason was told"
        result.update(
            failed=True,
            msg="It was applied, and could not be confirmed over a new connection. Unless somebody runs "
            "`fwmarkctl confirm` there, the state from before returns by itself at %s. The configuration "
            "file keeps what was written. Why: %s" % (pending["deadline"], why),
        )
        if "error" in said:
            result.update(error=said["error"], rc=said.get("rc"))
        return result

    def insist(self, wanted, deadline, task_vars):
        """Runs the confirmation over a new connection, again and again until it has an answer or the
        time is over."""
        while True:
            try:
                self.reconnect()
                said = self._execute_module(module_name=CONFIRM, module_args=wanted, task_vars=task_vars)
                if not said.get("unreachable"):
                    return said
            except AnsibleConnectionFailure as error:
                said = dict(failed=True, msg=str(error))
            if time.time() + PAUSE >= deadline:
                return said
            display.vv("not confirmed yet: %s" % said.get("msg"))
            time.sleep(PAUSE)

    def reconnect(self):
        """Lets go of the connection: what comes next needs a new one."""
        try:
            self._connection.reset()
        except AnsibleConnectionFailure:
            raise
        except AnsibleError as error:
            # What cannot be let go of is dead, and no reason against a new one.
            display.vv("the old connection could not be ended: %s" % error)
        # Folders of the old one need not be there, or reachable.
        self._connection._shell.tmpdir = None
