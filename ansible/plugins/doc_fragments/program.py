# Copyright: the fwmarkctl contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import absolute_import, division, print_function

__metaclass__ = type


class ModuleDocFragment(object):
    # What every module takes to find the program and its files.
    DOCUMENTATION = r"""
options:
  executable:
    description:
      - The program, by its path or by its name.
    type: str
    default: fwmarkctl
  config_file:
    description:
      - The file that is read and edited in place of those in C(/etc/fwmarkctl).
    type: path
  state_dir:
    description:
      - Where the history is kept. Without it, where the program keeps it.
    type: path
  run_dir:
    description:
      - Where what a reboot forgets is kept. Without it, where the program keeps it.
    type: path
requirements:
  - fwmarkctl on the managed node
attributes:
  check_mode:
    description: Can run in C(check_mode) and tell what would change, without a change.
  diff_mode:
    description: Tells what changed, or in check mode would, when in diff mode.
  platform:
    description: The systems that the managed node can be.
    support: full
    platforms: linux
author:
  - The fwmarkctl contributors (@fwmarkctl)
"""

    # What a module takes that writes files.
    EDIT = r"""
options:
  apply:
    description:
      - Apply the configuration at once. When that fails the file is put back, so that file and
        kernel never part ways.
      - Without it O(ignore:state=applied) of M(fwmarkctl.lvs.state) applies what several tasks
        have written.
    type: bool
    default: false
"""

    # What a module takes that may apply.
    APPLY = r"""
options:
  confirm_within:
    description:
      - Have the director return to the state before by itself after this time, such as V(60s) or
        V(5m), unless the change is confirmed.
      - The task confirms it, over a new connection, which is made when the change is in force. A
        play that cuts its own connection, or that dies, gets the old state back. The time is kept
        by the director itself.
      - The file keeps what was written to it.
      - Connections that cannot be made anew, such as P(ansible.builtin.local#connection), show
        nothing this way.
    type: str
  accept_loss:
    description:
      - Apply even what takes more out of service than C(ask-above) of the configuration allows.
        Otherwise that fails, and nothing is changed.
    type: bool
    default: false
  wait:
    description:
      - Wait while another fwmarkctl is at work. Otherwise that fails.
    type: bool
    default: true
"""
