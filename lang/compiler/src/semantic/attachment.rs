//! Volumes and disks that two disk blocks attach.

use tcloud_model::{Address, ByAddress, DesiredResource, Diagnostic, Name, Value, codes};

use super::facts::Facts;

pub(super) fn check(facts: &Facts<'_>, found: &mut Vec<Diagnostic>) {
    let mut attached: ByAddress<&Address, (&DesiredResource, &Name)> = ByAddress::default();
    attached.reserve(facts.storage.len());
    for vm in facts.vms.iter().map(|member| member.resource) {
        for (label, disk) in vm.attributes.map("disk").iter().flat_map(|disks| disks.iter()) {
            let Value::Map(disk) = disk else { continue };
            let Some(volume) = disk.reference("volume") else { continue };
            match attached.get(volume) {
                None => {
                    attached.insert(volume, (vm, label));
                }
                Some(first) => found.push(twice(facts, volume, *first, (vm, label))),
            }
        }
    }
}

fn twice(
    facts: &Facts<'_>,
    volume: &Address,
    first: (&DesiredResource, &Name),
    second: (&DesiredResource, &Name),
) -> Diagnostic {
    let place = |(vm, label): (&DesiredResource, &Name)| {
        // A disk of the VM's own has no `volume` in the text, but a block.
        if volume.parent() == Some(&vm.address) {
            facts.places.span(volume, "")
        } else {
            facts.span(vm, &format!("disk.{label}.volume"))
        }
    };
    let owned = |(vm, _): (&DesiredResource, &Name)| volume.parent() == Some(&vm.address);
    let (a, b) = (place(first), place(second));
    // The owner of a disk is never the one to give way.
    let swap = if owned(first) == owned(second) { b < a } else { owned(second) };
    let (first, second, a, b) = if swap { (second, first, b, a) } else { (first, second, a, b) };
    let (kind, name) = (volume.kind(), volume.last_name());
    let (one, two) = (first.0.address.last_segment(), second.0.address.last_segment());
    let diagnostic = Diagnostic::error(
        codes::E0514,
        b,
        if one == two {
            format!("{kind} `{name}` is attached twice to {one}")
        } else {
            format!("{kind} `{name}` is attached to {one} and {two}")
        },
    )
    .help(
        "a file system that two guests write is destroyed: give each a volume of its own, or share \
         the files over the network",
    );
    if a == b {
        diagnostic.label("the same for every instance")
    } else {
        diagnostic.label("again here").also(a, "first attached here")
    }
}
