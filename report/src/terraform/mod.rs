//! The plan in the form of Terraform's and OpenTofu's, version 1.2, for programs that read those. What
//! they have no word for stands under the key `tcloud`, which their readers have to ignore.
//!
//! It has what the plan has: resources that do not change are not in it.

mod address;
mod change;
mod modules;
mod value;

use std::io;

use serde_json::{Map, Value as Json, json};
use tcloud_model::Catalog;

use crate::format::Report;
use crate::indented;
use crate::json::exit_code;
use crate::lang::Lang;
use crate::text;
use modules::{Module, PROVIDER};

/// Readers tell by a version that the file is a plan. We are not Terraform: this is the one whose
/// form the file has.
const TERRAFORM_VERSION: &str = "1.9.0";

pub(crate) fn write(report: &Report<'_>, to: &mut dyn io::Write) -> io::Result<()> {
    let plan = report.plan;
    let catalog = Catalog::core();
    let sides = change::sides(plan, &catalog);
    let (mut prior, mut planned, mut blocks) =
        (Module::default(), Module::default(), Module::default());
    for own in &sides {
        if let Some(before) = &own.before {
            prior.put_values(&own.resource, before);
        }
        if let Some(after) = &own.after {
            planned.put_values(&own.resource, after);
            blocks.put_block(&own.resource, after);
        }
    }
    let outputs = plan.outputs.iter().map(|own| (own.name.to_string(), value::output(&own.value)));
    let outputs: Map<String, Json> = outputs.collect();
    let changes = sides.iter().map(|own| change::element(own, report, &catalog));
    let document = json!({
        "format_version": "1.2",
        "terraform_version": TERRAFORM_VERSION,
        "applyable": !plan.is_empty(),
        "complete": plan.unchecked.is_empty(),
        "errored": false,
        "planned_values": { "outputs": outputs, "root_module": planned.values() },
        "resource_drift": plan.drift.iter().map(|own| change::drift(own, &catalog)).collect::<Json>(),
        "resource_changes": changes.collect::<Json>(),
        "prior_state": {
            "format_version": "1.0",
            "terraform_version": TERRAFORM_VERSION,
            "values": { "root_module": prior.values() },
        },
        "configuration": {
            "provider_config": { "tcloud": { "name": "tcloud", "full_name": PROVIDER } },
            "root_module": blocks.blocks(),
        },
        "tcloud": own(report),
    });
    indented::write(&document, to)
}

/// What the whole plan says that Terraform has no word for.
fn own(report: &Report<'_>) -> Json {
    let plan = report.plan;
    json!({
        "version": env!("CARGO_PKG_VERSION"),
        "deployment": plan.deployment.name,
        "commit": report.origin.commit,
        "uncommitted": report.origin.uncommitted,
        "headline": report.about.headline(Lang::English, plan),
        "exit_code": exit_code(plan, report.about, report.silent),
        "decisions": plan.decisions,
        "exposure": plan.exposure,
        "guests": plan.guests,
        "unchecked": plan.unchecked.iter().map(|words| text::clean(words)).collect::<Json>(),
    })
}
