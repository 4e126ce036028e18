#!/usr/bin/python
# Copyright: the fwmarkctl contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import absolute_import, division, print_function

__metaclass__ = type

DOCUMENTATION = r"""
---
module: group
version_added: 1.0.0
short_description: One group of a director
description:
  - Makes a group what the task says, in the file that defines it, and keeps the comments and the
    order of all else there.
  - Keys that are not given are taken out of the group, but for C(enabled); so are real servers.
  - What a group may be is known to the program alone, which reads the whole configuration with
    the edit before it writes anything. Its words for keys and values are those of
    C(fwmarkctl.toml), with underscores for hyphens.
options:
  name:
    description:
      - Its name.
    type: str
    required: true
  state:
    description:
      - V(present) makes it what is said here, and leaves it enabled or disabled as it is.
      - V(enabled) and V(disabled) do the same, and enable or disable it. With no key given they do
        nothing else.
      - V(absent) removes it from its file, and an own file in C(groups.d) with it.
    type: str
    choices: [present, absent, enabled, disabled]
    default: present
  vips:
    description:
      - The addresses and prefixes that clients connect to.
    type: list
    elements: str
  ports:
    description:
      - Ports such as V(80/tcp), V(443/udp), V(8000-8100/tcp), V(any). Without a protocol it is tcp.
    type: list
    elements: str
  services:
    description:
      - Names of services, such as V(http3). They and O(ports) add up.
    type: list
    elements: str
  mark:
    description:
      - The mark of the group, such as V(10) or V("0xa"). Without it the group has an automatic one,
        which it keeps.
    type: raw
  marks:
    description:
      - The marks of ports, such as 80 for C(80/tcp).
    type: dict
  via:
    description:
      - What its services listen to, V(mark) or V(address).
    type: str
  scheduler:
    description:
      - A name, such as V(wlc), or a dictionary of C(name) and C(flags).
    type: raw
  one_packet:
    description:
      - Schedule each UDP packet by itself.
    type: bool
  persistence:
    description:
      - A mode, such as V(pfwmc), or a dictionary of C(mode), C(timeout), C(netmask), C(netmask6) and
        C(engine).
    type: raw
  forward:
    description:
      - A method, such as V(dr), or a dictionary of C(type), C(port) and C(checksum) of a tunnel.
    type: raw
  snat:
    description:
      - What stands for the clients' addresses with full NAT, an address of each family at most.
    type: list
    elements: str
  real:
    description:
      - The real servers.
    type: list
    elements: dict
    suboptions:
      address:
        description:
          - Its address.
        type: str
        required: true
      port:
        description:
          - Its port, where that is not the one of the VIP.
        type: int
      weight:
        description:
          - How many clients it takes, beside the others. 0 takes no new ones.
        type: int
      forward:
        description:
          - As O(forward), where it is not that of the group.
        type: raw
      upper_threshold:
        description:
          - No new connections above this many.
        type: int
      lower_threshold:
        description:
          - New connections again below this many.
        type: int
  file:
    description:
      - The file that a new group is written to, one that is read. Without it, one of its own in
        C(groups.d).
    type: path
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
  - module: fwmarkctl.lvs.config
  - module: fwmarkctl.lvs.state
"""

EXAMPLES = r"""
---
- name: A web site whose clients stay on one real server for 80 and 443
  fwmarkctl.lvs.group:
    name: web
    vips: [172.18.100.7]
    ports: [80/tcp, 443/tcp, 443/udp]
    scheduler: wlc
    persistence:
      mode: pfwmc
      timeout: 10m
    real:
      - address: 172.18.100.11
      - address: 172.18.100.12
        weight: 2
    apply: true
    confirm_within: 60s

- name: Out of the kernel with the next apply, and not out of the file
  fwmarkctl.lvs.group:
    name: mail
    state: disabled

- name: No such group
  fwmarkctl.lvs.group:
    name: old
    state: absent
    apply: true
    accept_loss: true
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
    Program,
    edit,
    finish,
    hyphenated,
)

SERVER_OPTIONS = dict(
    address=dict(type="str", required=True),
    port=dict(type="int"),
    weight=dict(type="int"),
    forward=dict(type="raw"),
    upper_threshold=dict(type="int"),
    lower_threshold=dict(type="int"),
)

KEYS = dict(
    vips=dict(type="list", elements="str"),
    ports=dict(type="list", elements="str"),
    services=dict(type="list", elements="str"),
    mark=dict(type="raw"),
    marks=dict(type="dict"),
    via=dict(type="str"),
    scheduler=dict(type="raw"),
    one_packet=dict(type="bool"),
    persistence=dict(type="raw"),
    forward=dict(type="raw"),
    snat=dict(type="list", elements="str"),
    real=dict(type="list", elements="dict", options=SERVER_OPTIONS),
)


def wanted(params):
    """The keys that were given, as the program has them."""
    keys = hyphenated(dict((key, params[key]) for key in KEYS))
    if "real" in keys:
        keys["real"] = [hyphenated(server) for server in keys["real"]]
    return keys


def remove(module):
    """Removes the group, if the files have it."""
    known = [group["name"] for group in Program(module).run("group", "list")["groups"]]
    if module.params["name"] in known:
        return edit(module, ["group", "remove", module.params["name"]])
    return dict(changed=False, edits=[], removed=[])


def work(module):
    name, state = module.params["name"], module.params["state"]
    if state == "absent":
        return remove(module)
    keys = wanted(module.params)
    if state != "present" and not keys:
        return edit(module, ["group", "enable" if state == "enabled" else "disable", name])
    if state != "present":
        keys["enabled"] = state == "enabled"
    words = ["group", "put", name]
    if module.params["file"] is not None:
        words += ["--file", module.params["file"]]
    return edit(module, words, json.dumps(keys))


def main():
    finish(
        AnsibleModule(
            argument_spec=dict(
                name=dict(type="str", required=True),
                state=dict(type="str", choices=["present", "absent", "enabled", "disabled"], default="present"),
                file=dict(type="path"),
                apply=dict(type="bool", default=False),
                **dict(KEYS, **dict(PROGRAM_OPTIONS, **APPLY_OPTIONS))
            ),
            supports_check_mode=True,
        ),
        work,
    )


if __name__ == "__main__":
    main()
