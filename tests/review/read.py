"""Reads the reports of one plan with programs of others, and says what they find wrong:
read.py DIRECTORY, with every report called as in NAMES; words for a policy's answer may follow."""

import collections
import json
import pathlib
import re
import subprocess
import sys

import jsonschema

import read_terraform

HERE = pathlib.Path(__file__).parent
SEVERITIES = {"info", "minor", "major", "critical", "blocker"}
COMMAND = re.compile(
    r"::(error|warning|notice) (file=[^,:]+,line=[0-9]+(,col=[0-9]+)?,)?title=[^,:]+::.+"
)


def main(directory):
    problems = []
    for name, check in CHECKS.items():
        try:
            problems += [f"{name}: {words}" for words in check(directory / name)]
        except Exception as error:  # a reader that gives up has found something
            problems.append(f"{name}: {type(error).__name__}: {error}")
    print("\n".join(problems))
    return 1 if problems else 0


def schema(document, path):
    rules = json.loads(path.read_text())
    validator = jsonschema.validators.validator_for(rules)
    validator.check_schema(rules)
    return [f"{error.json_path}: {error.message}" for error in validator(rules).iter_errors(document)]


def native(path):
    rules = HERE / "../../report/schema/plan-view.schema.json"
    return schema(json.loads(path.read_text()), rules)


def sarif(path):
    document = json.loads(path.read_text())
    found = schema(document, HERE / "schemas/sarif-schema-2.1.0.json")
    for run in document["runs"]:
        rules = run["tool"]["driver"]["rules"]
        for result in run["results"]:
            if rules[result["ruleIndex"]]["id"] != result["ruleId"]:
                found.append(f"ruleIndex of {result['ruleId']}")
    return found


def junit(path):
    rules = HERE / "schemas/JUnit.xsd"
    run = ["xmllint", "--noout", "--nonet", "--schema", rules, path]
    ended = subprocess.run(run, capture_output=True, text=True)
    return ended.stderr.splitlines() if ended.returncode else []


def terraform(path):
    return read_terraform.problems(json.loads(path.read_text()))


def counts(path):
    """What GitLab's parser of `artifacts:reports:terraform` asks for, and its recipe counts."""
    own = json.loads(path.read_text())
    plan = json.loads((path.parent / "terraform.json").read_text())
    actions = [one for change in plan["resource_changes"] for one in change["change"]["actions"]]
    expected = collections.Counter(actions)
    for key in ("create", "update", "delete"):
        if not re.fullmatch("[0-9]{1,6}", str(own[key])):
            yield f"{key} is {own[key]}"
        if own[key] != expected[key]:
            yield f"{key} is {own[key]}, and by the recipe {expected[key]}"


def quality(path):
    """What GitLab's parser of `artifacts:reports:codequality` asks for."""
    text = path.read_bytes()
    if text.startswith(b"\xef\xbb\xbf"):
        yield "begins with a byte-order mark"
    prints = set()
    for item in json.loads(text):
        place = item["location"]
        if not (item["description"] and item["check_name"] and item["severity"] in SEVERITIES):
            yield f"is no degradation: {item}"
        if place["path"].startswith("/") or place["lines"]["begin"] < 1:
            yield f"is no place: {place}"
        if item["fingerprint"] in prints:
            yield f"{item['description']} has the fingerprint of another"
        prints.add(item["fingerprint"])


def github(path):
    found = collections.Counter()
    for line in path.read_text().splitlines():
        if not COMMAND.fullmatch(line):
            yield f"is no workflow command: {line}"
        found[line.split(" ")[0]] += 1
    for word, number in found.items():
        if number > 10:
            yield f"{number} times {word}, of which GitHub shows 10"


CHECKS = {
    "json.json": native,
    "terraform.json": terraform,
    "gitlab-terraform.json": counts,
    "codequality.json": quality,
    "sarif.sarif": sarif,
    "junit.xml": junit,
    "github.txt": github,
}

if __name__ == "__main__":
    sys.exit(main(pathlib.Path(sys.argv[1])))
