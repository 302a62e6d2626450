//! `tcloud plan`: what apply would do.

use std::path::Path;

use tcloud_model::parallel;
use tcloud_planner::Goal;
use tcloud_planner::plan::Plan as Planned;
use tcloud_report::About;
use tcloud_state::postgres::without_password;

use super::prepare::{Prepared, goal, load, wishes};
use super::{Context, age, estimate};
use crate::arguments::{self, Consent};
use crate::failure::{Exit, Outcome};
use crate::gaps;
use crate::reports::Told;
use crate::session::{self, Project};
use crate::view::layout::quote;
use crate::view::plan::{Next, PlanView};
use crate::{overwrite, plan_file};

pub(super) async fn run(arguments: arguments::Plan, context: &Context) -> Outcome {
    arguments.reports.check(arguments.json, context)?;
    if let Some(path) = &arguments.out {
        overwrite::spare_others(&context.path(Some(path)))?;
    }
    let project = Project::open(context.path(arguments.path.as_ref()), context).await?;
    let goal = if arguments.destroy { Goal::Destroy } else { goal(&arguments.run.scope) };
    let wishes = wishes(&arguments.run, goal);
    let (Prepared { text, engine }, loaded) = load(&project, &arguments.run, context).await?;
    let observed = engine.observe().await;
    let (is_old, planned) = parallel::both(
        parallel::threads_for(loaded.state.records.len()),
        || age::is_old(&project, &loaded, &observed),
        || text.try_plan(&project, &loaded.state, &observed, &wishes),
    );
    age::warn(&project, &engine, is_old, &observed, context).await?;
    let mut planned = text.or_refuse(planned, context);
    if let Ok(plan) = &mut planned {
        estimate::estimate(plan, &engine).await;
    }
    engine.shutdown().await;
    let plan = planned?;
    let gaps = gaps::of(&loaded.state, &observed);
    if let Some(path) = &arguments.out {
        let file = plan_file::sealed(plan.clone(), gaps.clone(), &loaded);
        plan_file::save(&file, &context.path(Some(path)))?;
    }
    let silent = !gaps.is_empty();
    if arguments.json {
        context.terminal.json_text(session::json(&plan, silent).trim_end());
    } else if !arguments.reports.take_output() {
        if !loaded.intents.is_empty() {
            let open = crate::view::layout::count(loaded.intents.len(), "step");
            context.terminal.note(&format!(
                "An earlier run left {open} open; the next apply looks at them first."
            ));
        }
        let (apply, saved) = (next(&arguments), saved(&arguments));
        let view = PlanView {
            palette: context.terminal.palette,
            everything: context.terminal.verbose > 0,
            observed: Some(&observed),
            next: match &saved {
                Some(plan) => Next::Saved { apply: &apply, plan },
                None => Next::Run(&apply),
            },
        };
        context.terminal.print(&view.render(&plan));
    }
    let told = Told { plan: &plan, about: About::Plan, silent };
    arguments.reports.write(told, &project.root, context)?;
    if arguments.exit_code {
        gaps::refuse(&gaps)?;
    }
    let exit = exit(&plan, arguments.exit_code);
    // The process ends now. Taking half a million objects apart would only keep the user waiting.
    std::mem::forget((text, loaded, observed, plan));
    Ok(exit)
}

/// The exit code: with `--exit-code`, what there is to do.
fn exit(plan: &Planned, wanted: bool) -> Exit {
    match wanted {
        true if plan.needs_decision() => Exit::Decision,
        true if !plan.is_empty() => Exit::Changes,
        _ => Exit::Done,
    }
}

/// The command that carries out this plan.
fn next(arguments: &arguments::Plan) -> String {
    let shown = |path: &Path| quote(&path.display().to_string());
    if let Some(out) = &arguments.out {
        // The file belongs to the project, and is named from where the project is.
        let mut apply = match &arguments.path {
            Some(root) => {
                let out = std::path::absolute(out).unwrap_or_else(|_| out.clone());
                format!("tcloud apply {} --dir {}", shown(&out), shown(root))
            }
            None => format!("tcloud apply {}", shown(out)),
        };
        // Whoever applies agrees.
        for word in allowed(&arguments.run.consent.allow) {
            apply = format!("{apply} {word}");
        }
        return apply;
    }
    let mut words = vec!["tcloud".to_owned()];
    words.push(if arguments.destroy { "destroy" } else { "apply" }.to_owned());
    words.extend(arguments.path.as_ref().map(|path| shown(path)));
    words.extend(options(&arguments.run));
    words.join(" ")
}

/// The command that saved this plan.
fn saved(arguments: &arguments::Plan) -> Option<String> {
    let shown = |path: &Path| quote(&path.display().to_string());
    let out = arguments.out.as_ref()?;
    let mut words = vec!["tcloud plan".to_owned()];
    words.extend(arguments.path.as_ref().map(|path| shown(path)));
    words.extend(arguments.destroy.then(|| "--destroy".to_owned()));
    words.extend(options(&arguments.run));
    words.push(format!("--out {}", shown(out)));
    Some(words.join(" "))
}

/// The options that decide what is planned, as they were given.
fn options(run: &arguments::Run) -> Vec<String> {
    let arguments::Run { inputs, scope, consent, parallelism: _ } = run;
    let arguments::Inputs { variables, variable_files, state } = inputs;
    let arguments::Scope { target, exclude, replace, refresh_only } = scope;
    let option = |name: &str, value: &str| format!("{name} {}", quote(value));
    let mut words = Vec::new();
    words.extend(variables.iter().map(|(name, value)| option("--var", &format!("{name}={value}"))));
    let files = variable_files.iter().map(|path| path.display().to_string());
    words.extend(files.map(|path| option("--var-file", &path)));
    words.extend(state.iter().map(|url| option("--state", &without_password(url))));
    for (name, values) in [("--target", target), ("--exclude", exclude), ("--replace", replace)] {
        words.extend(values.iter().map(|value| option(name, value)));
    }
    words.extend(refresh_only.then(|| "--refresh-only".to_owned()));
    words.extend(allowed(&consent.allow));
    words
}

/// What is agreed to, as it was given.
fn allowed(consents: &[Consent]) -> Vec<String> {
    let allow = consents.iter().map(|consent| match consent {
        Consent::DataLoss(address) => format!("data-loss={address}"),
        Consent::Destroy(address) => format!("destroy={address}"),
        Consent::Exposure(address) => format!("exposure={address}"),
    });
    allow.map(|value| format!("--allow {}", quote(&value))).collect()
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::arguments::{Arguments, Command};

    #[test]
    fn the_next_command_carries_out_what_was_shown() {
        for (given, expected) in [
            ("tcloud plan", "tcloud apply"),
            ("tcloud plan a --destroy", "tcloud destroy a"),
            (
                "tcloud plan --target tenant.a.* --var n=1 --allow data-loss=tenant.a.vm.b[1]",
                "tcloud apply --var n=1 --target 'tenant.a.*' --allow \
                 'data-loss=tenant.a.vm.b[1]'",
            ),
            (
                "tcloud plan --state postgres://erika:hunter2@db/x",
                "tcloud apply --state postgres://erika@db/x",
            ),
            ("tcloud plan --out p", "tcloud apply p"),
            (
                "tcloud plan --out p --allow destroy=tenant.a.vm.b",
                "tcloud apply p --allow destroy=tenant.a.vm.b",
            ),
            ("tcloud plan a --out /p", "tcloud apply /p --dir a"),
        ] {
            let arguments = Arguments::try_parse_from(given.split(' ')).expect(given);
            let Command::Plan(plan) = arguments.command else { panic!("{given}") };
            assert_eq!(next(&plan), expected);
        }
    }
}
