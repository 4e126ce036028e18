# Copyright: the fwmarkctl contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import absolute_import, division, print_function

__metaclass__ = type

from ansible_collections.fwmarkctl.lvs.plugins.plugin_utils.trial import Trial


class ActionModule(Trial):
    """Runs the module, and confirms what it has tried over a new connection."""
