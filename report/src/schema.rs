//! Checks a JSON value against the schema of the native plan, with the few words of JSON Schema
//! that it uses. For tests: it refuses words that it does not know, and keys that the schema does not
//! name, which readers have to ignore.

use serde_json::Value;

const SCHEMA: &str = include_str!("../schema/plan-view.schema.json");

/// Everything in the value that the schema does not allow.
pub(crate) fn problems(value: &Value) -> Vec<String> {
    let root: Value = serde_json::from_str(SCHEMA).expect("the schema is JSON");
    let mut problems = Vec::new();
    check(&root, &root, value, "$", &mut problems);
    problems
}

fn check(root: &Value, schema: &Value, value: &Value, at: &str, problems: &mut Vec<String>) {
    for (word, rule) in schema.as_object().expect("a schema is an object") {
        match word.as_str() {
            "$schema" | "$id" | "title" | "description" | "$defs" | "additionalProperties" => {}
            "$ref" => {
                let name = rule.as_str().and_then(|path| path.strip_prefix("#/$defs/"));
                let target = &root["$defs"][name.expect("a reference into $defs")];
                assert!(target.is_object(), "{rule} leads nowhere");
                check(root, target, value, at, problems);
            }
            "type" if !has_type(rule, value) => {
                problems.push(format!("{at} is not {rule}: {value}"));
            }
            "const" if rule != value => problems.push(format!("{at} is not {rule}: {value}")),
            "enum" if !rule.as_array().expect("a list").contains(value) => {
                problems.push(format!("{at} is not one of {rule}: {value}"));
            }
            "type" | "const" | "enum" => {}
            "required" => {
                for name in rule.as_array().expect("a list").iter().filter_map(Value::as_str) {
                    if value.is_object() && value.get(name).is_none() {
                        problems.push(format!("{at} lacks {name}"));
                    }
                }
            }
            "properties" => check_properties(root, schema, value, at, problems),
            "items" => {
                for (position, item) in value.as_array().into_iter().flatten().enumerate() {
                    check(root, rule, item, &format!("{at}[{position}]"), problems);
                }
            }
            other => panic!("the schema uses {other}, which is not known here"),
        }
    }
}

fn check_properties(
    root: &Value,
    schema: &Value,
    value: &Value,
    at: &str,
    problems: &mut Vec<String>,
) {
    for (name, item) in value.as_object().into_iter().flatten() {
        let at = format!("{at}.{name}");
        match schema["properties"].get(name) {
            Some(rule) => check(root, rule, item, &at, problems),
            None => match schema.get("additionalProperties") {
                Some(rule) => check(root, rule, item, &at, problems),
                None => problems.push(format!("{at} is not in the schema")),
            },
        }
    }
}

fn has_type(rule: &Value, value: &Value) -> bool {
    let is = |name: &str| match name {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_u64() || value.is_i64(),
        "string" => value.is_string(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        other => panic!("type {other} is not known here"),
    };
    match rule {
        Value::String(name) => is(name),
        Value::Array(names) => names.iter().filter_map(Value::as_str).any(is),
        _ => false,
    }
}

#[test]
fn the_schema_refuses_what_it_does_not_allow() {
    let wrong = serde_json::json!({ "format": "other", "exit_code": "4", "surprise": 1 });
    let problems = problems(&wrong).join("\n");
    for part in ["$.format is not", "$.exit_code is not", "$.surprise is not", "$ lacks changes"] {
        assert!(problems.contains(part), "{part} in {problems}");
    }
}
