#!/usr/bin/python
# Copyright: the fwmarkctl contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import absolute_import, division, print_function

__metaclass__ = type

DOCUMENTATION = r"""
---
module: state
version_added: 1.0.0
short_description: What the kernel of a director holds
description:
  - Has the kernel hold what the configuration says, or what it held before.
  - It is one transaction. When it fails the state from before stands, and the task says so.
options:
  state:
    description:
      - V(applied) is what the configuration says.
      - V(rolled_back) is the generation before the one that counts, whose state is another; while
        a trial waits, the state before that trial. Each run goes back, so it is never twice the same.
      - V(restored) is the generation O(generation).
      - V(confirmed) makes a trial permanent that waits. Where none does, nothing is done.
      - V(cleared) is nothing of ours.
    type: str
    choices: [applied, rolled_back, restored, confirmed, cleared]
    default: applied
  generation:
    description:
      - Which generation is restored, or confirmed.
    type: int
  adopt:
    description:
      - Take over virtual services of somebody else on our marks.
    type: bool
    default: false
extends_documentation_fragment:
  - fwmarkctl.lvs.program
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
notes:
  - O(confirm_within), O(accept_loss) and O(adopt) are for O(state=applied).
seealso:
  - module: fwmarkctl.lvs.group
  - module: fwmarkctl.lvs.config
"""

EXAMPLES = r"""
---
- name: What several tasks have written is applied, and goes again unless the director is still there
  fwmarkctl.lvs.state:
    state: applied
    confirm_within: 60s

- name: Back to generation 7
  fwmarkctl.lvs.state:
    state: restored
    generation: 7

- name: All that is ours goes from the kernel
  fwmarkctl.lvs.state:
    state: cleared
"""

RETURN = r"""
---
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

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.fwmarkctl.lvs.plugins.module_utils.program import (
    APPLY_OPTIONS,
    PROGRAM_OPTIONS,
    Program,
    ProgramError,
    apply_words,
    finish,
    with_plan,
)


def carry_out(module, words, foresee):
    """Runs what writes; in check mode what says what it would do."""
    words = list(foresee if module.check_mode else words)
    if not module.check_mode and not module.params["wait"]:
        words.append("--no-wait")
    return Program(module).run(*words)


def confirm(module):
    pending = Program(module).run("status")["pending"]
    wanted = module.params["generation"]
    if pending is None and (wanted is None or Program(module).run("history")["head"] == wanted):
        return dict(changed=False)
    if pending is None or wanted not in (None, pending["generation"]):
        raise ProgramError("generation %s does not wait to be confirmed" % wanted, pending=pending)
    if module.check_mode:
        return dict(changed=True, generation=pending["generation"])
    told = carry_out(module, ["confirm"], [])
    return dict(changed=True, generation=told["generation"])


def work(module):
    params, state = module.params, module.params["state"]
    if state == "confirmed":
        return confirm(module)
    if state == "applied":
        adopt = ["--adopt"] if params["adopt"] else []
        told = carry_out(module, ["apply"] + adopt + apply_words(params), ["plan"] + adopt)
        # In check mode it is a trial that waits already.
        told["pending"] = None if module.check_mode else told.get("pending")
    elif state == "cleared":
        told = carry_out(module, ["clear", "--yes"], ["clear", "--dry-run"])
    else:
        words = ["rollback"]
        if state == "restored":
            words.append(str(params["generation"]))
        told = carry_out(module, words, words + ["--dry-run"])
    if "changes" not in told:
        # The trial that waited has ended.
        return dict(changed=True, generation=told["generation"], confirmed=told["confirmed"])
    return with_plan(module, dict(changed=False), told)


def main():
    finish(
        AnsibleModule(
            argument_spec=dict(
                state=dict(
                    type="str",
                    choices=["applied", "rolled_back", "restored", "confirmed", "cleared"],
                    default="applied",
                ),
                generation=dict(type="int"),
                adopt=dict(type="bool", default=False),
                **dict(PROGRAM_OPTIONS, **APPLY_OPTIONS)
            ),
            required_if=[("state", "restored", ["generation"])],
            supports_check_mode=True,
        ),
        work,
    )


if __name__ == "__main__":
    main()
