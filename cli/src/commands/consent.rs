//! Asking a person: for the name of everything whose loss is agreed to, and whether to go on.

use tcloud_model::Address;
use tcloud_planner::plan::{Decision, DecisionKind};

use crate::escape::escape;
use crate::failure::{Exit, Failure};
use crate::interrupt::{Signals, Stopped};
use crate::terminal::{self, QuestionError, Terminal, Tone};
use crate::view::plan;

/// Asks for every open decision, by name. Gives those that were agreed to, all of them, or a
/// failure that says what to pass.
pub(super) async fn decide(open: &[&Decision], terminal: &Terminal) -> Result<(), Failure> {
    if !terminal.is_interactive() {
        return Err(refusal(open));
    }
    for decision in open {
        let name = short_name(&decision.address);
        let loss = match decision.kind {
            DecisionKind::DataLoss => "its data is lost for good",
            DecisionKind::Protected => "it is protected, and will be destroyed",
            DecisionKind::Exposure => "it is opened to others",
        };
        let question = format!(
            "\n{} {}: {loss}.\nType its name, {}, to agree; anything else stops here: ",
            terminal.error_palette.paint(Tone::Danger, &decision.id),
            escape(&decision.message),
            terminal.error_palette.paint(Tone::Strong, &name),
        );
        let answer = ask(&question, terminal).await?;
        if answer != name && answer != decision.address.to_string() {
            return Err(Failure::new(format!("`{name}` was not agreed to; nothing was changed"))
                .help(format!("{}; if meant, pass {}", decision.help, plan::consent(decision)))
                .exit(Exit::Decision));
        }
    }
    Ok(())
}

/// What to pass when there is nobody to ask.
pub(super) fn refusal(open: &[&Decision]) -> Failure {
    let consents: Vec<String> = open.iter().map(|decision| plan::consent(decision)).collect();
    let number = crate::view::layout::count(open.len(), "decision");
    Failure::new(format!("{number} open; nothing was changed"))
        .help(format!("to agree, pass:\n{}", consents.join("\n")))
        .exit(Exit::Decision)
}

/// Asks whether to go on.
pub(super) async fn confirm(question: &str, terminal: &Terminal) -> Result<(), Failure> {
    match ask(&format!("\n{question} Type `yes`: "), terminal).await {
        Ok(answer) if answer == "yes" => Ok(()),
        Ok(_) => Err(Failure::new("not agreed to; nothing was changed")),
        Err(QuestionError::NoTerminal) => Err(Failure::from(QuestionError::NoTerminal)
            .help("pass --yes to apply without being asked")),
        Err(error) => Err(error.into()),
    }
}

/// Asks, and waits for the answer or for Ctrl-C, whatever else listens to it.
async fn ask(question: &str, terminal: &Terminal) -> Result<String, QuestionError> {
    let mut signals = Signals::listen();
    terminal.question(question)?;
    tokio::select! {
        answer = tokio::task::spawn_blocking(terminal::answer) => {
            let answer = answer.unwrap_or_else(|error| Err(QuestionError::Read(error.into())))?;
            // After Ctrl-D the cursor still stands behind the question.
            if answer.is_empty() {
                terminal.complain("");
            }
            Ok(answer)
        }
        true = signals.next() => {
            terminal.complain("");
            Err(Stopped.into())
        }
    }
}

/// The name that a person types: the address without its tenant and without the first kind, so
/// `archive` for a volume and `db.disk.root` for a disk.
fn short_name(address: &Address) -> String {
    let full = address.to_string();
    let within = match address.tenant() {
        Some(tenant) => full.strip_prefix(&format!("{tenant}.")).unwrap_or(&full),
        None => &full,
    };
    within.split_once('.').map_or(within, |(_, name)| name).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_to_type_is_short_and_exact() {
        let short = |text: &str| short_name(&text.parse().expect(text));
        assert_eq!(short("tenant.a.volume.archive"), "archive");
        assert_eq!(short("tenant.a.vm.db[1].disk.root"), "db[1].disk.root");
        assert_eq!(short("site.m.pool.fast"), "m.pool.fast");
        assert_eq!(short("tenant.a.portal.main.volume.x"), "main.volume.x");
    }
}
