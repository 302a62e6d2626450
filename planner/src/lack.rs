//! What a host can do for nobody. A plan that asks for it is refused: the apply would be, in its middle.

use tcloud_model::{AttrPath, Diagnostic, Lack, Value, codes};

use crate::draft::Draft;
use crate::input::Input;
use crate::layout::{Layout, Wanted};
use crate::plan::Action;

/// Refuses drafts that newly ask a host for what it has nothing for. What is there already stays.
///
/// # Errors
/// One for each such attribute.
pub(crate) fn refuse_lacking(
    input: &Input<'_>,
    layout: &Layout<'_>,
    drafts: &[Draft],
) -> Result<(), Vec<Diagnostic>> {
    let mut problems = Vec::new();
    for host in &input.observed.hosts {
        let lacks = host.facts.iter().flat_map(|facts| &facts.lacks);
        for lack in lacks {
            let there = |draft: &&Draft| draft.object.host == host.host && draft.stays();
            for draft in drafts.iter().filter(there).filter(|draft| *draft.kind() == lack.kind) {
                let wanted = layout.wanted.get(&draft.object.address);
                let asking = wanted.filter(|wanted| asks(draft, wanted, lack));
                problems.extend(asking.map(|wanted| refusal(input, draft, wanted, lack)));
            }
        }
    }
    if problems.is_empty() { Ok(()) } else { Err(problems) }
}

fn asks(draft: &Draft, wanted: &Wanted<'_>, lack: &Lack) -> bool {
    let is_set = match wanted.attributes.get(&lack.attribute) {
        None | Some(Value::None | Value::Bool(false)) => false,
        Some(_) => true,
    };
    let is_made = matches!(draft.action, Action::Create | Action::Migrate) || draft.replaces();
    let changes = || draft.attributes.iter().any(|own| own.path.first() == Some(&lack.attribute));
    is_set && (is_made || changes())
}

fn refusal(input: &Input<'_>, draft: &Draft, wanted: &Wanted<'_>, lack: &Lack) -> Diagnostic {
    let address = &draft.object.address;
    let path = AttrPath::attribute(lack.attribute.clone());
    let spans = input.evaluator.causes(address, Some(&path));
    let span = spans.first().copied().unwrap_or(wanted.resource.span);
    let message = format!("`{path}` of {address} cannot be had: {}", lack.because);
    Diagnostic::error(codes::E0915, span, message)
        .label(format!("on {}", draft.object.host))
        .help(&lack.help)
}
