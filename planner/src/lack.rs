//! What a host can do for nobody. A plan that asks for it is refused: the apply would be, in its middle.

use indexmap::IndexMap;
use indexmap::map::Entry;
use tcloud_model::{Address, AttrPath, ByAddress, Diagnostic, Lack, Name, codes};

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
    // What is missing on a host is one problem, however many ask for it.
    let mut problems: IndexMap<(&Address, &Name, &str), Asking<'_>> = IndexMap::new();
    for draft in drafts.iter().filter(|draft| draft.stays() && !lacking.is_empty()) {
        let lacks = lacking.get(&draft.object.host).copied().unwrap_or_default();
        for lack in lacks.iter().filter(|own| own.kind == *draft.kind()) {
            let wanted = layout.wanted.get(&draft.object.address);
            let Some(wanted) = wanted.filter(|wanted| asks(draft, wanted, lack)) else { continue };
            match problems.entry((&draft.object.host, &lack.attribute, &lack.because)) {
                Entry::Occupied(mut asking) => asking.get_mut().others.push(&draft.object.address),
                Entry::Vacant(none) => {
                    none.insert(Asking { draft, wanted, lack, others: Vec::new() });
                }
            }
        }
    }
    if problems.is_empty() {
        return Ok(());
    }
    Err(problems.into_values().map(|asking| refusal(input, &asking)).collect())
}

/// Who asks a host for what it has nothing for: the first one, and the others.
struct Asking<'a> {
    draft: &'a Draft,
    wanted: &'a Wanted<'a>,
    lack: &'a Lack,
    others: Vec<&'a Address>,
}

fn asks(draft: &Draft, wanted: &Wanted<'_>, lack: &Lack) -> bool {
    let is_made = matches!(draft.action, Action::Create | Action::Migrate) || draft.replaces();
    let changes = || draft.attributes.iter().any(|own| own.path.first() == Some(&lack.attribute));
    lack.is_asked_by(&wanted.attributes) && (is_made || changes())
}

fn refusal(input: &Input<'_>, asking: &Asking<'_>) -> Diagnostic {
    let Asking { draft, wanted, lack, others } = asking;
    let address = &draft.object.address;
    let path = AttrPath::attribute(lack.attribute.clone());
    let spans = input.evaluator.causes(address, Some(&path));
    let span = spans.first().copied().unwrap_or(wanted.resource.span);
    let others = match others[..] {
        [] => String::new(),
        [other] => format!(" and {other}"),
        _ => format!(" and {} others", others.len()),
    };
    let message = format!("`{path}` of {address}{others} cannot be had: {}", lack.because);
    Diagnostic::error(codes::E0915, span, message)
        .label(format!("on {}", draft.object.host))
        .help(&lack.help)
}
