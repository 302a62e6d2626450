//! `tcloud agree`: a signed statement that somebody agrees to decisions of a saved plan.

use std::path::{Path, PathBuf};

use tcloud_model::Deployment;
use tcloud_planner::plan::Decision;
use tcloud_planner::planfile;

use crate::arguments::Agree;
use crate::consents::{Consent, SIGNERS, Statement, sign};
use crate::context::Context;
use crate::escape::escape;
use crate::failure::{Exit, Failure, Outcome};
use crate::overwrite::spare_projects;
use crate::plan_file;
use crate::revisions::ask;
use crate::terminal::Tone;
use crate::view::layout::quote;
use tcloud_project::config::Config;

pub(super) fn run(arguments: &Agree, context: &Context) -> Outcome {
    let root = context.path(None);
    let deployment = Deployment::new(&Config::load(&root)?.deployment);
    let path = context.path(Some(&arguments.plan));
    let file = plan_file::load(&path, &deployment)?;
    let decisions = chosen(&arguments.decisions, &file.plan.decisions)?;
    let by = match &arguments.by {
        Some(by) => by.clone(),
        None => ask(&root, &["config", "--get", "user.email"]).ok_or_else(|| {
            Failure::new("whose signature it is is not known").help("say --as NAME")
        })?,
    };
    let key = arguments.key.clone().or_else(|| default_key(&root));
    let key = key.ok_or_else(|| Failure::new("there is no key").help("say --key FILE"))?;
    let plan = planfile::digest(&file).to_string();
    let statement = Statement::new(&deployment, &plan, &by, &decisions)?;
    for decision in &decisions {
        let id = context.terminal.palette.paint(Tone::Danger, &decision.id);
        // The message is the file's; what is signed is about this address.
        let (message, address) = (escape(&decision.message), &decision.address);
        context.terminal.line(&format!("{id} {message} ({address})"));
    }
    let signature = sign(&key, &statement.bytes())?;
    let out = arguments.out.clone().unwrap_or_else(|| default_out(&arguments.plan, &by));
    spare_projects(&context.path(Some(&out)))?;
    Consent { statement, signature }.write(&context.path(Some(&out)))?;
    context.terminal.line(&format!(
        "Agreed as {by}, for this plan only: {}\n\n  tcloud apply {} --consent {}",
        out.display(),
        quote(&arguments.plan.display().to_string()),
        quote(&out.display().to_string())
    ));
    if !root.join(SIGNERS).is_file() {
        context.terminal.note(&format!("It counts once {by} stands in the project's {SIGNERS}."));
    }
    Ok(Exit::Done)
}

/// The decisions that were named.
fn chosen<'p>(ids: &[String], all: &'p [Decision]) -> Result<Vec<&'p Decision>, Failure> {
    let known: Vec<&str> = all.iter().map(|decision| &*decision.id).collect();
    let find = |id: &String| {
        all.iter().find(|decision| decision.id.eq_ignore_ascii_case(id)).ok_or_else(|| {
            let known = match known.is_empty() {
                true => "nothing has to be decided in it".to_owned(),
                false => format!("it has {}", known.join(", ")),
            };
            Failure::new(format!("the plan has no decision `{id}`")).help(known)
        })
    };
    ids.iter().map(find).collect()
}

/// Git's own key for signatures, or ssh's usual one.
fn default_key(root: &Path) -> Option<PathBuf> {
    let of_git = ask(root, &["config", "--get", "user.signingkey"])
        .map(PathBuf::from)
        .filter(|key| key.is_file());
    of_git.or_else(|| {
        let home = PathBuf::from(std::env::var_os("HOME")?);
        let keys = ["id_ed25519", "id_ecdsa", "id_rsa"];
        keys.iter().map(|name| home.join(".ssh").join(name)).find(|key| key.is_file())
    })
}

/// Beside the plan, named after whoever agrees.
fn default_out(plan: &Path, by: &str) -> PathBuf {
    let by: String = by
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() || "@.-_".contains(c) { c } else { '_' })
        .collect();
    let mut name = plan.as_os_str().to_owned();
    name.push(format!(".{by}.consent"));
    PathBuf::from(name)
}
