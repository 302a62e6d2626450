"""Asks policy.rego about a plan in Terraform's form: rego.py PLAN. Prints its answers as JSON."""

import json
import pathlib
import sys

import regopy

rego = regopy.Interpreter()
rego.add_module("town", (pathlib.Path(__file__).parent / "policy.rego").read_text())
rego.set_input(json.loads(pathlib.Path(sys.argv[1]).read_text()))
output = rego.query("answer = data.town")
if not output.ok():
    sys.exit(str(output))
print(output.binding("answer").json())
