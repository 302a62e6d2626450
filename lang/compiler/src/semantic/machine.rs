//! Sizes that have to fit each other: memory, vCPUs and their ceilings, disks and images.

use tcloud_model::{DesiredResource, Diagnostic, Value, codes};

use super::facts::Facts;

pub(super) fn check(facts: &Facts<'_>, found: &mut Vec<Diagnostic>) {
    for vm in facts.vms.iter().map(|member| member.resource) {
        for (value, ceiling) in [("memory", "max_memory"), ("vcpus", "max_vcpus")] {
            found.extend(below_ceiling(facts, vm, value, ceiling));
        }
        found.extend(image_memory(facts, vm));
    }
    for storage in &facts.storage {
        found.extend(image_disk(facts, storage.resource));
    }
}

fn below_ceiling(
    facts: &Facts<'_>,
    vm: &DesiredResource,
    value: &str,
    ceiling: &str,
) -> Option<Diagnostic> {
    let (own, most) = (vm.attributes.get(value)?, vm.attributes.get(ceiling)?);
    if own.partial_compare(most)?.is_le() {
        return None;
    }
    Some(
        Diagnostic::error(
            codes::E0512,
            facts.span(vm, ceiling),
            format!("vm `{}` has {value} {own}, but {ceiling} {most}", vm.address.last_name()),
        )
        .label(format!("less than {value}"))
        .also(facts.span(vm, value), "what it starts with")
        .help(format!("write `{ceiling} = {own}` or more, or leave it out")),
    )
}

fn image_memory(facts: &Facts<'_>, vm: &DesiredResource) -> Option<Diagnostic> {
    let image = facts.referred(&vm.attributes, "image")?;
    let least = image.attributes.number("min_memory")?;
    let memory = vm.attributes.number("memory")?;
    if memory >= least {
        return None;
    }
    let (least, memory) = (Value::Bytes(least), Value::Bytes(memory));
    Some(
        Diagnostic::error(
            codes::E0511,
            facts.span(vm, "memory"),
            format!(
                "vm `{}` has {memory} of memory, image `{}` needs {least}",
                vm.address.last_name(),
                image.address.last_name()
            ),
        )
        .label("too little to start")
        .also(facts.span(image, "min_memory"), format!("needs {least}"))
        .help(format!("write `memory = {least}` or more")),
    )
}

fn image_disk(facts: &Facts<'_>, storage: &DesiredResource) -> Option<Diagnostic> {
    let image = facts.referred(&storage.attributes, "image")?;
    let least = image.attributes.number("min_disk")?;
    let size = storage.attributes.number("size")?;
    if size >= least {
        return None;
    }
    let (least, size) = (Value::Bytes(least), Value::Bytes(size));
    Some(
        Diagnostic::error(
            codes::E0510,
            facts.span(storage, "size"),
            format!(
                "{} `{}` is {size}, image `{}` needs {least}",
                storage.address.kind(),
                storage.address.last_name(),
                image.address.last_name()
            ),
        )
        .label("the image does not fit")
        .also(facts.span(image, "min_disk"), format!("needs {least}"))
        .help(format!("write `size = {least}` or more, or leave it out")),
    )
}
