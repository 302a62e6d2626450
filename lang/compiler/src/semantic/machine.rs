//! What has to fit together in one guest: memory, vCPUs and their ceilings, disks and images, and
//! what it boots from.

use tcloud_model::{DesiredResource, Diagnostic, Value, codes};

use super::facts::Facts;

pub(super) fn check(facts: &Facts<'_>, found: &mut Vec<Diagnostic>) {
    for vm in facts.vms.iter().map(|member| member.resource) {
        for (value, ceiling) in [("memory", "max_memory"), ("vcpus", "max_vcpus")] {
            found.extend(below_ceiling(facts, vm, value, ceiling));
        }
        found.extend(image_memory(facts, vm));
        found.extend(direct_boot(facts, vm));
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

/// What only a kernel can use needs one, and a host looks for files only where it is told.
fn direct_boot(facts: &Facts<'_>, vm: &DesiredResource) -> Option<Diagnostic> {
    let boot = vm.attributes.map("boot")?;
    let problem = |name: &str, message: String, label: &str, help: &str| {
        let span = facts.span(vm, &format!("boot.{name}"));
        Some(Diagnostic::error(codes::E0516, span, message).label(label).help(help))
    };
    let name = vm.address.last_name();
    if boot.get("kernel").is_none()
        && let Some(lonely) = ["initrd", "cmdline"].into_iter().find(|own| boot.get(own).is_some())
    {
        return problem(
            lonely,
            format!("vm `{name}` has a `boot.{lonely}`, but no kernel that would use it"),
            "only a kernel reads this",
            "add `kernel = \"/boot/vmlinuz\"`, a path on the host, or leave it out",
        );
    }
    let relative = ["kernel", "initrd"].into_iter().find(|own| match boot.text(own) {
        Some(path) => !path.starts_with('/'),
        None => false,
    })?;
    problem(
        relative,
        format!("`boot.{relative}` of vm `{name}` is not an absolute path"),
        "where this lies on the host is not said",
        "write the whole path: `/boot/vmlinuz`",
    )
}
