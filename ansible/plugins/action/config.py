# Copyright: the fwmarkctl contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import absolute_import, division, print_function

__metaclass__ = type

from ansible.errors import AnsibleActionFail, AnsibleError
from ansible.module_utils.common.text.converters import to_text

from ansible_collections.fwmarkctl.lvs.plugins.plugin_utils.trial import Trial


class ActionModule(Trial):
    """Reads src here, runs the module, and confirms what it has tried over a new connection."""

    def arguments(self, task_vars):
        arguments = self._task.args.copy()
        src = arguments.get("src")
        if src is None or any(arguments.get(other) is not None for other in ("content", "groups", "director")):
            return arguments
        del arguments["src"]
        try:
            path = self._find_needle("files", src)
            with open(self._loader.get_real_file(path), "rb") as file:
                arguments["content"] = to_text(file.read(), errors="surrogate_or_strict")
        except (AnsibleError, OSError, UnicodeError) as error:
            raise AnsibleActionFail("src cannot be read: %s" % to_text(error))
        return arguments
