#!/usr/bin/python
# Copyright: the fwmarkctl contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import absolute_import, division, print_function

__metaclass__ = type

DOCUMENTATION = r"""
---
module: config_info
version_added: 1.0.0
short_description: Whether a director's configuration is right
description:
  - Has the configuration checked, and tells each mistake with its place. A configuration with mistakes
    is an answer here, and no failure. No kernel is touched.
extends_documentation_fragment:
  - fwmarkctl.lvs.program
attributes:
  check_mode:
    support: full
  diff_mode:
    support: none
    details: It changes nothing.
seealso:
  - module: fwmarkctl.lvs.config
"""

EXAMPLES = r"""
---
- name: Is it right?
  fwmarkctl.lvs.config_info:
  register: found

- name: It must be
  ansible.builtin.assert:
    that: found.valid
    fail_msg: "{{ found.message }}"
"""

RETURN = r"""
---
valid:
  description: Whether it is right.
  returned: success
  type: bool
  sample: true
message:
  description: All mistakes, a line each, with their places. Empty where there are none.
  returned: success
  type: str
  sample: ""
errors:
  description: Each mistake with its C(code), C(message), C(hint), C(group) and C(spans).
  returned: success
  type: list
  elements: dict
  sample: []
warnings_found:
  description: The same of what is odd.
  returned: success
  type: list
  elements: dict
  sample: []
groups:
  description: How many groups there are.
  returned: when it is right
  type: int
  sample: 2
enabled:
  description: How many of them are enabled.
  returned: when it is right
  type: int
  sample: 2
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

from ansible_collections.fwmarkctl.lvs.plugins.module_utils.program import (
    PROGRAM_OPTIONS,
    Program,
    ProgramError,
    finish,
)


def work(module):
    try:
        told = Program(module).run("check")
    except ProgramError as error:
        found = error.result.get("error") or {}
        if found.get("kind") != "config":
            raise
        return dict(changed=False, valid=False, message=error.message, errors=found["errors"], warnings_found=[])
    counts = dict((key, told[key]) for key in ("groups", "enabled"))
    return dict(changed=False, valid=True, message="", errors=[], warnings_found=told["warnings"], **counts)


def main():
    finish(AnsibleModule(argument_spec=dict(PROGRAM_OPTIONS), supports_check_mode=True), work)


if __name__ == "__main__":
    main()
