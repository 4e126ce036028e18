#!/usr/bin/python
# Copyright: the fwmarkctl contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import absolute_import, division, print_function

__metaclass__ = type

DOCUMENTATION = r"""
---
module: state_info
version_added: 1.0.0
short_description: What the kernel of a director holds now
description:
  - Tells of each group what the kernel holds, whether that is what the configuration says, what waits
    to be confirmed, and what was applied before.
options:
  groups:
    description:
      - Only these groups.
    type: list
    elements: str
    default: []
extends_documentation_fragment:
  - fwmarkctl.lvs.program
attributes:
  check_mode:
    support: full
  diff_mode:
    support: none
    details: It changes nothing.
seealso:
  - module: fwmarkctl.lvs.state
"""

EXAMPLES = r"""
---
- name: How is the director?
  fwmarkctl.lvs.state_info:
  register: director

- name: Nobody has meddled with it
  ansible.builtin.assert:
    that: director.status.in_sync
"""

RETURN = r"""
---
status:
  description:
    - What C(fwmarkctl status) says, as C(fwmarkctl schema status) describes it. C(in_sync), C(generation),
      C(pending), C(interrupted) and C(groups) with their services and real servers are in it.
  returned: success
  type: dict
generations:
  description: What was applied, the newest first, as C(fwmarkctl history) has it.
  returned: success
  type: list
  elements: dict
error:
  description:
    - What the program said when it failed, as C(fwmarkctl schema error) describes it. RV(error.kind)
      says why, and RV(rc) how far it came.
    - Mistakes in a configuration are in C(errors), each with C(code), C(message), C(hint) and
      C(spans), which are C(file), C(line) and C(column).
  returned: failure
  type: dict
  contains:
    kind:
      description: Such as C(config), C(conflict), C(locked), C(kernel), C(restored), C(incomplete).
      type: str
    message:
      description: What is wrong, in a sentence.
      type: str
    hint:
      description: What mends it.
      type: str
rc:
  description:
    - How the program ended. 1 is failed, and the state from before stands. 2 is that nothing was
      tried. 4 is incomplete, and a person is needed. 5 is that another one was at work.
  returned: failure
  type: int
  sample: 2
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.fwmarkctl.lvs.plugins.module_utils.program import PROGRAM_OPTIONS, Program, finish


def work(module):
    program = Program(module)
    status = program.run("status", *module.params["groups"])
    return dict(changed=False, status=status, generations=program.run("history")["generations"])


def main():
    finish(
        AnsibleModule(
            argument_spec=dict(groups=dict(type="list", elements="str", default=[]), **PROGRAM_OPTIONS),
            supports_check_mode=True,
        ),
        work,
    )


if __name__ == "__main__":
    main()
