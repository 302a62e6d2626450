//! What a host can do for nobody. A plan that asks for it is refused: the apply would be, in its middle.

use tcloud_model::{Address, AttrPath, ByAddress, Diagnostic, Lack, Value, codes};

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
    let hosts =
        input.observed.hosts.iter().filter_map(|own| Some((&own.host, own.facts.as_ref()?)));
    let lacking: ByAddress<&Address, &[Lack]> = hosts
        .filter(|(_, facts)| !facts.lacks.is_empty())
        .map(|(host, facts)| (host, &facts.lacks[..]))
        .collect();
    let mut problems = Vec::new();
    for draft in drafts.iter().filter(|draft| draft.stays() && !lacking.is_empty()) {
        let lacks = lacking.get(&draft.object.host).copied().unwrap_or_default();
        for lack in lacks.iter().filter(|lack| lack.kind == *draft.kind()) {
            let wanted = layout.wanted.get(&draft.object.address);
            let asking = wanted.filter(|wanted| asks(draft, wanted, lack));
            problems.extend(asking.map(|wanted| refusal(input, draft, wanted, lack)));
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
