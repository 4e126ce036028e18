#!/usr/bin/python
# Copyright: the fwmarkctl contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import absolute_import, division, print_function

__metaclass__ = type

DOCUMENTATION = r"""
---
module: group_info
version_added: 1.0.0
short_description: The groups of a director's configuration
description:
  - Tells which groups the files define, and where. No kernel is touched.
options:
  name:
    description:
      - One group, with all that it comes to. Without it all are listed.
    type: str
extends_documentation_fragment:
  - fwmarkctl.lvs.program
attributes:
  check_mode:
    support: full
  diff_mode:
    support: none
    details: It changes nothing.
seealso:
  - module: fwmarkctl.lvs.group
"""

EXAMPLES = r"""
---
- name: Where is it defined, and what does it come to?
  fwmarkctl.lvs.group_info:
    name: web
  register: web

- name: All groups
  fwmarkctl.lvs.group_info:
  register: all
"""

RETURN = r"""
---
groups:
  description:
    - The groups, as C(fwmarkctl group list) has them. Empty where O(name) is none.
  returned: success
  type: list
  elements: dict
  sample:
    - name: web
      file: /etc/fwmarkctl/groups.d/web.toml
      line: 1
      enabled: true
      vips: [172.18.100.7/32]
      ports: [80/tcp]
      real_servers: 2
group:
  description:
    - The group O(name) with all that it comes to, C(real_servers) among it, as C(fwmarkctl group show)
      has it.
  returned: when there is such a group
  type: dict
toml:
  description: What its file says of it.
  returned: when there is such a group
  type: str
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
    name = module.params["name"]
    groups = Program(module).run("group", "list")["groups"]
    if name is None:
        return dict(changed=False, groups=groups)
    groups = [group for group in groups if group["name"] == name]
    result = dict(changed=False, groups=groups)
    if groups:
        told = Program(module).run("group", "show", name)
        result.update(group=told["group"], toml=told["toml"])
    return result


def main():
    finish(
        AnsibleModule(argument_spec=dict(name=dict(type="str"), **PROGRAM_OPTIONS), supports_check_mode=True),
        work,
    )


if __name__ == "__main__":
    main()
