//! `tcloud output`: the outputs of the configuration, as they are or will be.

use serde_json::json;
use tcloud_model::{Output as Evaluated, Value, diagnostic};

use super::look;
use crate::arguments::Output;
use crate::context::Context;
use crate::escape::escape_lines;
use crate::failure::{Exit, Failure, Outcome};
use crate::view::account;

pub(super) async fn run(arguments: &Output, context: &Context) -> Outcome {
    let known = look::look(context.path(None), &arguments.inputs, context).await?;
    let outputs = &known.plan.outputs;
    match &arguments.name {
        Some(name) => one(name, outputs, arguments.json, context),
        None if arguments.json => {
            let all: serde_json::Map<String, serde_json::Value> = outputs
                .iter()
                .map(|output| (output.name.to_string(), json!(output.value)))
                .collect();
            context.terminal.json(&serde_json::Value::Object(all));
            Ok(Exit::Done)
        }
        None => {
            if outputs.is_empty() {
                context.terminal.note("The configuration has no outputs.");
            }
            context.terminal.print(&account::outputs(outputs, context.terminal.palette));
            Ok(Exit::Done)
        }
    }
}

fn one(name: &str, outputs: &[Evaluated], json: bool, context: &Context) -> Outcome {
    let Some(output) = outputs.iter().find(|output| output.name == name) else {
        let names = outputs.iter().map(|output| output.name.as_str());
        let failure = Failure::new(format!("there is no output `{name}`"));
        return Err(match diagnostic::nearest(name, names) {
            Some(near) => failure.help(format!("did you mean `{near}`?")),
            None => failure.help("`tcloud output` lists them"),
        });
    };
    if json {
        context.terminal.json(&json!(output.value));
    } else {
        // A text is written bare, for `$(tcloud output NAME)`.
        let text = match &output.value {
            Value::Text(text) => escape_lines(text),
            value => value.to_string(),
        };
        context.terminal.line(&text);
    }
    Ok(Exit::Done)
}
