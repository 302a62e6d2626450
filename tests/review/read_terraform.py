"""Reads a plan in Terraform's form as HashiCorp publishes it (JSON Output Format, 1.2), and says what
does not fit. Written to that page, and not to what writes the plan."""

ACTIONS = [
    ["no-op"], ["create"], ["read"], ["update"], ["delete", "create"], ["create", "delete"],
    ["delete"], ["forget"], ["create", "forget"],
]
REASONS = [
    "replace_because_cannot_update", "replace_because_tainted", "replace_by_request",
    "replace_by_triggers", "delete_because_no_resource_config",
]


def problems(plan):
    found = []

    def expect(holds, words):
        if not holds:
            found.append(words)

    major, minor = plan["format_version"].split(".")
    expect(major == "1" and minor.isdigit(), f"format_version {plan['format_version']}")
    expect(isinstance(plan["terraform_version"], str), "terraform_version")
    for flag in ("applyable", "complete", "errored"):
        expect(isinstance(plan[flag], bool), flag)
    planned = resources(plan["planned_values"]["root_module"], "", expect)
    prior = resources(plan["prior_state"]["values"]["root_module"], "", expect)
    for output in plan["planned_values"]["outputs"].values():
        expect(isinstance(output["sensitive"], bool) and "value" in output, f"output {output}")
    seen = set()
    for change in plan["resource_changes"]:
        address = change["address"]
        expect(address not in seen, f"{address} twice")
        seen.add(address)
        check_change(change, planned, prior, expect)
    for change in plan["resource_drift"]:
        expect(change["change"]["actions"] in (["update"], ["delete"]), f"drift {change}")
    check_module(plan["configuration"]["root_module"], expect)
    return found


def resources(module, address, expect):
    """Every resource of a tree of modules by its address."""
    own = {}
    for resource in module.get("resources", []):
        expect(resource["address"].startswith(address), f"{resource['address']} in {address}")
        expect(isinstance(resource["schema_version"], int), "schema_version")
        check_secrets(resource["sensitive_values"], resource["values"], resource["address"], expect)
        own[resource["address"]] = resource
    for child in module.get("child_modules", []):
        expect(child["address"].startswith(address), f"{child['address']} in {address}")
        own.update(resources(child, child["address"], expect))
    return own


def check_change(change, planned, prior, expect):
    address, inner = change["address"], change["change"]
    key = change.get("index")
    index = "" if key is None else f"[{key}]" if isinstance(key, int) else f'["{key}"]'
    parts = [change.get("module_address"), f"{change['type']}.{change['name']}{index}"]
    expect(address == ".".join(part for part in parts if part), f"{address} is not its parts")
    expect(change["mode"] in ("managed", "data"), f"{address}: mode")
    expect(change["provider_name"].count("/") == 2, f"{address}: provider")
    expect(change.get("action_reason") in [None, *REASONS], f"{address}: action_reason")
    actions, before, after = inner["actions"], inner["before"], inner["after"]
    expect(actions in ACTIONS, f"{address}: {actions}")
    expect((before is None) == (actions == ["create"]), f"{address}: before of {actions}")
    expect((after is None) == (actions in (["delete"], ["forget"])), f"{address}: after of {actions}")
    expect(("replace_paths" in inner) == ({"create", "delete"} == set(actions)), f"{address}: paths")
    check_secrets(inner["before_sensitive"], before, address, expect)
    check_secrets(inner["after_sensitive"], after, address, expect)
    for path in inner.get("replace_paths", []):
        expect(isinstance(path, list) and path, f"{address}: {path}")
        expect(follow(before, path) != follow(after, path), f"{address}: {path} is the same")
    if after is not None:
        expect(planned.get(address, {}).get("values") == after, f"{address}: planned_values")
    if before is not None and "previous_address" not in change:
        expect(prior.get(address, {}).get("values") == before, f"{address}: prior_state")


def follow(value, path):
    for step in path:
        value = value.get(step) if isinstance(value, dict) else None
    return value


def check_secrets(marks, value, address, expect):
    """We promise more than Terraform: what is marked as sensitive is not there."""
    if marks is True:
        expect(value is None, f"{address}: a secret is told")
    elif isinstance(marks, dict):
        for name, mark in marks.items():
            check_secrets(mark, value[name], address, expect)
    elif isinstance(marks, list):
        for mark, item in zip(marks, value):
            check_secrets(mark, item, address, expect)


def check_module(module, expect):
    for resource in module.get("resources", []):
        name = f"{resource['type']}.{resource['name']}"
        expect(resource["address"] == name, f"{resource['address']} is not {name}")
        expect(isinstance(resource["expressions"], dict), f"{name}: expressions")
    for call in module.get("module_calls", {}).values():
        expect("source" in call, "a module without a source")
        check_module(call["module"], expect)
