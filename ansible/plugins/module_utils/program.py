# Copyright: the fwmarkctl contributors
# BSD 2-Clause License (see https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause
"""Runs fwmarkctl and hands on what it says.

Nothing here knows what a group is or how a kernel is changed: words go to the program as they
were given, its documents (-o json) come back as they are.
"""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import json

# The number of the documents' format.
FORMAT = 1

# What the exit code adds to the program's own sentence.
INCOMPLETE, LOCKED = 4, 5

PROGRAM_OPTIONS = dict(
    executable=dict(type="str", default="fwmarkctl"),
    config_file=dict(type="path"),
    state_dir=dict(type="path"),
    run_dir=dict(type="path"),
)

APPLY_OPTIONS = dict(
    confirm_within=dict(type="str"),
    accept_loss=dict(type="bool", default=False),
    wait=dict(type="bool", default=True),
)


class ProgramError(Exception):
    """The program said no."""

    def __init__(self, message, **result):
        super(ProgramError, self).__init__(message)
        self.message = message
        self.result = result


class Program(object):
    """The program on this machine, with the options that say where its files are."""

    def __init__(self, module):
        self.module = module
        executable = module.params["executable"]
        self.begin = [module.get_bin_path(executable, required=True), "-o", "json"]
        for option in ("config_file", "state_dir", "run_dir"):
            value = module.params[option]
            if value is not None:
                self.begin += ["--" + {"config_file": "config"}.get(option, option.replace("_", "-")), value]

    def run(self, *words, **how):
        """What a command says, as a document. An error is a ProgramError."""
        document = how.get("document")
        command = self.begin + [str(word) for word in words]
        code, told, noted = self.module.run_command(
            command,
            data=document,
            binary_data=True,
            environ_update=dict(LC_ALL="C.UTF-8", NO_COLOR="1"),
        )
        return self.read(command, code, told, noted)

    @staticmethod
    def read(command, code, told, noted):
        try:
            answer = json.loads(told)
        except ValueError:
            answer = None
        if not isinstance(answer, dict) or answer.get("format") != FORMAT:
            message = noted.strip() or told.strip() or "it said nothing"
            raise ProgramError(
                "%s ended with %s, and what it said is no document of format %s: %s"
                % (command[0], code, FORMAT, message),
                rc=code,
                cmd=command,
            )
        if "error" in answer:
            raise ProgramError(sentence(code, answer["error"]), rc=code, cmd=command, error=answer["error"])
        return answer


def place(span):
    """A place in a file, as compilers write it."""
    parts = [span.get("file"), span.get("line"), span.get("column")]
    return ":".join(str(part) for part in parts if part is not None)


def one(error):
    """An error in a line: where, which, what, and what mends it."""
    spans = error.get("spans") or []
    begin = place(spans[0]) + ": " if spans else ""
    code = "[%s] " % error["code"] if error.get("code") else ""
    hint = " (%s)" % error["hint"] if error.get("hint") else ""
    return begin + code + error["message"] + hint


def sentence(code, error):
    """All that a person needs to act on."""
    lines = [one(each) for each in error.get("errors") or [error]]
    if error.get("omitted"):
        lines.append("and %s more" % error["omitted"])
    for each in error.get("conflicts") or []:
        lines.append("%s is %s, and not ours; wanted: %s" % (each["key"], each["found"], each["wanted"]))
    for each in error.get("remaining") or []:
        lines.append("still differs: " + change_line(each))
    if code == INCOMPLETE:
        lines.insert(0, "Neither done nor undone: a person is needed on this director.")
    elif code == LOCKED:
        lines.insert(0, "Another fwmarkctl is at work there, and wait is false.")
    return "\n".join(lines)


def change_line(change):
    """A change of a plan in a line."""
    values = " -> ".join(value for value in (change["before"], change["after"]) if value is not None)
    return "%s %s %s: %s" % (change["action"], change["object"], change["key"], values)


def kernel_diff(plan):
    """What a plan changes, as Ansible shows it."""

    def side(name):
        lines = ["%s %s: %s\n" % (each["object"], each["key"], each[name]) for each in plan["changes"] if each[name] is not None]
        return "".join(lines)

    return dict(
        before_header="kernel, generation %s" % plan["generation"],
        after_header="kernel",
        before=side("before"),
        after=side("after"),
    )


def with_plan(module, result, plan):
    """Tells of a plan that was carried out, or would be."""
    result["plan"] = dict((key, plan[key]) for key in ("changes", "summary"))
    result["generation"] = plan["generation"]
    for note in plan.get("notes") or []:
        module.warn(note)
    if plan["changes"]:
        result["changed"] = True
        if module._diff:
            result.setdefault("diff", []).append(kernel_diff(plan))
    if plan.get("pending"):
        result["pending"] = plan["pending"]
    return result


def hyphenated(value):
    """Keys as the program has them: upper_threshold is upper-threshold. What was not said
    is not there."""
    if not isinstance(value, dict):
        return value
    return dict((key.replace("_", "-"), each) for key, each in value.items() if each is not None)


def apply_words(params):
    """The options of an apply as words."""
    words = []
    if params["confirm_within"] is not None:
        words += ["--confirm-within", params["confirm_within"]]
    if params["accept_loss"]:
        words.append("--yes")
    return words


def edit(module, words, document=None):
    """Edits files by a command, and tells of it."""
    params = module.params
    words = list(words)
    if not params["wait"]:
        words.append("--no-wait")
    if params["apply"]:
        words += ["--apply"] + apply_words(params)
    if module.check_mode:
        words.append("--dry-run")
    data = None if document is None else document.encode("utf-8")
    told = Program(module).run(*words, document=data)
    result = dict(
        changed=bool(told["diff"]),
        file=told["file"],
        created=told["created"],
        removed=told.get("removed") or [],
        edits=told["changes"],
    )
    if module._diff:
        result["diff"] = [dict(prepared=told["diff"])] if told["diff"] else []
    if told["apply"] is not None:
        with_plan(module, result, told["apply"])
    if told.get("pending"):
        result["pending"] = told["pending"]
    return result


def finish(module, work):
    """Ends a module with what its work says, or with what the program said instead."""
    try:
        result = work(module)
    except ProgramError as error:
        module.fail_json(msg=error.message, **error.result)
    module.exit_json(**result)
