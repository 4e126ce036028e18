#!/usr/bin/python
# Copyright: the fwmarkctl contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import absolute_import, division, print_function

__metaclass__ = type

DOCUMENTATION = r"""
---
module: config
version_added: 1.0.0
short_description: The whole configuration of a director
description:
  - Makes the main file say what the task says, all of it, in one step.
  - The program reads the configuration as it would be before the file is replaced. One with mistakes
    is not written, and each mistake is told with its place.
  - A group that the main file had, and that is not given, is gone. Groups in files of their own in
    C(groups.d) stay, unless O(purge) takes these away.
options:
  content:
    description:
      - The configuration, as TOML. It is written as it is.
    type: str
  src:
    description:
      - A file on the controller that has the configuration, as TOML. A relative one is looked for as
        M(ansible.builtin.copy) does.
    type: path
  groups:
    description:
      - The groups by their names, each a dictionary of its keys, in the words of C(fwmarkctl.toml), with
        underscores for hyphens where you like.
      - They are written in the program's style. Where the file means the same already, it stays as it
        is.
    type: dict
  director:
    description:
      - With O(groups), the keys of C([director]).
    type: dict
  purge:
    description:
      - Remove the files in C(groups.d), so that no other group stays.
    type: bool
    default: false
extends_documentation_fragment:
  - fwmarkctl.lvs.program
  - fwmarkctl.lvs.program.edit
  - fwmarkctl.lvs.program.apply
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
  action:
    description: Has a part that runs on the controller.
    support: full
  async:
    description: Can be run with C(async).
    support: none
seealso:
  - module: fwmarkctl.lvs.group
  - module: fwmarkctl.lvs.state
"""

EXAMPLES = r"""
---
- name: All groups of this director, and no others
  fwmarkctl.lvs.config:
    groups:
      web:
        vips: [172.18.100.7]
        services: [http, https]
        persistence: pfwmc
        real: [172.18.100.11, 172.18.100.12]
      mail:
        vips: [172.18.100.8]
        ports: [25/tcp]
        real:
          - address: 172.18.100.11
            upper_threshold: 500
    purge: true
    apply: true
    confirm_within: 60s

- name: A file that is kept with the playbook
  fwmarkctl.lvs.config:
    src: fwmarkctl.toml

- name: A template
  fwmarkctl.lvs.config:
    content: "{{ lookup('ansible.builtin.template', 'fwmarkctl.toml.j2') }}"
"""

RETURN = r"""
---
file:
  description: The file that was edited, or in check mode would be.
  returned: success
  type: str
  sample: /etc/fwmarkctl/groups.d/web.toml
created:
  description: Whether the file was not there.
  returned: success
  type: bool
  sample: false
removed:
  description: Files that went with it.
  returned: success
  type: list
  elements: str
  sample: []
edits:
  description: What changed in the files.
  returned: success
  type: list
  elements: dict
  contains:
    action:
      description: C(add), C(change) or C(remove).
      type: str
    object:
      description: C(group), C(key) or C(real-server).
      type: str
    name:
      description: Which it is.
      type: str
  sample:
    - action: change
      object: real-server
      name: 172.18.100.12
plan:
  description: What changed in the kernel, or in check mode would.
  returned: when something is applied
  type: dict
  contains:
    changes:
      description:
        - Each change with its C(phase), C(action), C(object), C(group), C(key), C(before) and C(after).
      type: list
      elements: dict
    summary:
      description: How many were added, changed and removed.
      type: dict
  sample:
    changes:
      - phase: stage
        action: change
        object: real-server
        group: web
        key: fwmark 10 ipv4 172.18.100.12
        before: dr weight 1
        after: dr weight 2
    summary:
      add: 0
      change: 1
      remove: 0
generation:
  description: The generation that the kernel holds. None where it holds none.
  returned: when something is applied
  type: int
  sample: 7
pending:
  description:
    - The trial that waits to be confirmed, with its C(generation), its C(deadline) in UTC and the
      C(seconds_left).
    - The task confirms it, so who sees it sees a task that failed.
  returned: when O(confirm_within) began a trial
  type: dict
  sample:
    generation: 7
    deadline: "2026-11-23T14:06:20Z"
    seconds_left: 60
confirmed:
  description: Whether the trial was confirmed, over a new connection.
  returned: when O(confirm_within) began a trial
  type: bool
  sample: true
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

import json

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.fwmarkctl.lvs.plugins.module_utils.program import (
    APPLY_OPTIONS,
    PROGRAM_OPTIONS,
    edit,
    finish,
    hyphenated,
)


def group(keys):
    """A group, and its real servers, as the program has them."""
    keys = hyphenated(keys)
    if isinstance(keys, dict) and isinstance(keys.get("real"), list):
        keys["real"] = [hyphenated(server) for server in keys["real"]]
    return keys


def document(params):
    """The configuration: TOML as it is, or JSON."""
    if params["content"] is not None:
        return params["content"]
    groups = dict((name, group(keys)) for name, keys in params["groups"].items())
    whole = dict(group=groups)
    if params["director"]:
        whole["director"] = hyphenated(params["director"])
    return json.dumps(whole)


def work(module):
    if module.params["src"] is not None:
        module.fail_json(msg="src is read on the controller, by the action plugin of this collection")
    words = ["replace"]
    if module.params["purge"]:
        words.append("--purge")
    return edit(module, words, document(module.params))


def main():
    finish(
        AnsibleModule(
            argument_spec=dict(
                content=dict(type="str"),
                src=dict(type="path"),
                groups=dict(type="dict"),
                director=dict(type="dict"),
                purge=dict(type="bool", default=False),
                apply=dict(type="bool", default=False),
                **dict(PROGRAM_OPTIONS, **APPLY_OPTIONS)
            ),
            mutually_exclusive=[("content", "src", "groups"), ("content", "director"), ("src", "director")],
            required_one_of=[("content", "src", "groups")],
            supports_check_mode=True,
        ),
        work,
    )


if __name__ == "__main__":
    main()
